import { KeyObject, randomUUID } from 'node:crypto';
import { Logger, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { isObject, SyncError } from 'nest-offline-sync-protocol';
import { loadPassport, type PassportTools } from '../options/optional-peers';
import type { SyncJwtOptions, SyncRequest } from '../options/sync.options';
import { bearerToken, tokenFailure, VerifiedTokens } from './bearer-token';
import { resolveJwt, type JwtVerification } from './jwt.options';
import { keyLookup } from './jwt-key';

/** The shipped check of bearer tokens, and how to take it out of passport's table when the app ends. */
export interface JwtCheck {
  readonly guard: CanActivate;
  readonly dispose: () => void;
}

const KNOWN_TOKENS = 10_000;

/** @throws SyncError `configuration` for options that could verify nothing, or too much, and without passport */
export function createJwtCheck(options: SyncJwtOptions): JwtCheck {
  const verification = resolveJwt(options);
  if (verification.warning !== undefined) new Logger('SyncModule').warn(verification.warning);
  const name = `nest-offline-sync:${randomUUID()}`;
  const tools = loadPassport();
  const dispose = registerJwtStrategy(name, verification, tools);
  // A key set may lose the key that a token was verified with.
  const tokens = verification.key instanceof KeyObject ? new VerifiedTokens(KNOWN_TOKENS) : undefined;
  class JwtGuard extends tools.AuthGuard(name) {
    /** A device asks again and again with the same token: passport verifies it the first time. */
    override async canActivate(context: ExecutionContext): Promise<boolean> {
      const request = context.switchToHttp().getRequest<SyncRequest>();
      const { authorization } = request.headers;
      const token = bearerToken(typeof authorization === 'string' ? authorization : undefined);
      const known = token === undefined ? undefined : tokens?.get(token, Date.now());
      if (known !== undefined) {
        request.user = known;
        return true;
      }
      const passes = (await super.canActivate(context)) as boolean;
      if (passes && token !== undefined) tokens?.keep(token, request.user, Date.now());
      return passes;
    }

    /** @throws SyncError `unauthenticated` with the reason, which passport's own answer leaves out */
    override handleRequest<User>(error: unknown, user: User | false | null | undefined, info: unknown): User {
      if (error instanceof Error) throw error;
      if (!user) throw tokenFailure(info);
      return user;
    }
  }
  return { guard: new JwtGuard(), dispose };
}

/**
 * Gives passport a strategy that verifies the bearer token of the Authorization header; its payload becomes
 * `request.user`. `exp` and `nbf` are kept to when the token has them.
 *
 * @param name unlike any other's: passport keeps one table of strategies for the whole process
 * @returns takes the strategy away again
 */
function registerJwtStrategy(
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
