/** The page at `/`: what there is to look at. */
export function homePage(prefix: string): string {
  const links = [
    ['/docs', 'the API, to read and to try'],
    ['/health', 'whether this server works'],
    ['/metrics', 'metrics for Prometheus'],
  ] as const;
  const routes = [
    [`POST /${prefix}/push`, 'takes a device’s changes'],
    [`GET /${prefix}/pull`, 'returns what is new since a cursor'],
    [`GET /${prefix}/full`, 'returns everything, for a new device'],
    [`WS /${prefix}/stream`, 'sends what is new as it happens'],
    ['POST /orders', 'the app’s own route, which writes through the same log'],
  ] as const;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>nest-offline-sync demo</title>
<style>body { font: 16px/1.6 system-ui; max-width: 42rem; margin: 3rem auto; padding: 0 1rem } code { color: #064 }</style>
<h1>A small shop that syncs</h1>
<p>The demo of <b>nest-offline-sync</b> is running. Look at:</p>
<ul>${links.map(([path, about]) => `<li><a href="${path}">${path}</a>: ${about}</li>`).join('')}</ul>
<p>Devices use:</p>
<ul>${routes.map(([route, about]) => `<li><code>${route}</code>: ${about}</li>`).join('')}</ul>
<p>To see it all happen, run <code>npm run demo:tour</code> in another terminal.</p>
</html>
`;
}
