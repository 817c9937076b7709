import type { PassportTools } from '../options/optional-peers';
import { SyncError } from '../protocol/errors';
import { isObject } from '../protocol/json';
import type { JwtVerification } from './jwt.options';
import { keyLookup } from './jwt-key';

/**
 * Gives passport a strategy that verifies the bearer token of the Authorization header; its payload becomes
 * `request.user`. `exp` and `nbf` are kept to when the token has them.
 *
 * @param name unlike any other's: passport keeps one table of strategies for the whole process
 * @returns takes the strategy away again
 */
export function registerJwtStrategy(
  name: string,
  verification: JwtVerification,
  { ExtractJwt, passport, PassportStrategy, Strategy }: PassportTools,
): () => void {
  const lookUp = keyLookup(verification);
  class SyncJwtStrategy extends PassportStrategy(Strategy, name) {
    constructor() {
      super({
        jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
        secretOrKeyProvider: (_request, token, done) => {
          lookUp(token as string)
            // A KeyObject says which kind of key it is; the verifier takes it, its types do not know.
            .then((key) => done(null, key as unknown as Buffer))
            // The verifier runs inside `done` and throws on claims that are null: that must not end the process.
            .catch((error: unknown) => done(error));
        },
        // Always explicit: what the token's own header asks for never decides.
        algorithms: [...verification.algorithms],
        issuer: verification.issuer,
        audience: verification.audience,
        jsonWebTokenOptions: { clockTolerance: verification.clockToleranceSeconds },
      });
    }

    validate(payload: unknown): object {
      if (isObject(payload)) return payload;
      throw new SyncError('unauthenticated', 'The payload of the token is no JSON object.');
    }
  }
  new SyncJwtStrategy();
  return () => {
    passport.unuse(name);
  };
}
