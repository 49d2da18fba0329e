// A web application that does not use cameras, written like a service worker.
addEventListener('fetch', (event) => event.respondWith(respond(event.request)));

async function respond(request) {
  console.log('JavaScript received a request for ' + new URL(request.url).pathname);
  let outcome;
  try {
    const response = await fetch(new URL(request.url).searchParams.get('fetch') ?? 'http://localhost/');
    outcome = `${response.status} ${await response.text()}`;
  } catch (error) {
    outcome = error.name;
  }
  return new Response(`JavaScript, outgoing request: ${outcome}\n`);
}
