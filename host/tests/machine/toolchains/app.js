// A web application that knows nothing about cameras, in the style of service workers.
addEventListener('fetch', (event) => event.respondWith(respond(event.request)));

async function respond(request) {
  console.log('JavaScript was asked for ' + new URL(request.url).pathname);
  let outcome;
  try {
    outcome = (await fetch('http://localhost/')).status;
  } catch (error) {
    outcome = error.name;
  }
  return new Response(`JavaScript, outgoing request: ${outcome}\n`);
}
