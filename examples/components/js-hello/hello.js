// A service worker as browsers and others know it; its tools make it a component of `wasi:http/proxy`.
addEventListener('fetch', (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  if (request.method === 'POST') {
    return new Response(request.body);
  }
  const { pathname } = new URL(request.url);
  const headers = { 'content-type': 'text/plain' };
  return new Response(`hello from JavaScript, ${pathname}\n`, { headers });
}
