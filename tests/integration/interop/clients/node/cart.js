// node-soap: a client of the cart, see ../../stacks.py for what it is told and tells.
//
// It keeps no cookies: they are taken out of `lastResponseHeaders` and set with addHttpHeader.
// Header blocks of a reply come as an object; those of requests are added as raw XML.

'use strict';

const soap = require('soap');

const SHOP = 'urn:example:shop';
const [url, carrier, customer] = process.argv.slice(2);

// Lets the client send the session's id from now on.
function carry(client, reply, headers) {
  const block = (xml) => client.addSoapHeader(xml);
  if (carrier === 'cookie') {
    const issued = client.lastResponseHeaders['set-cookie'];
    client.addHttpHeader('Cookie', [issued].flat()[0].split(';')[0]);
  } else if (carrier === 'wsa') {
    const key = headers.ReplyTo.ReferenceParameters.CartKey;
    block(`<shop:CartKey xmlns:shop="${SHOP}">${key}</shop:CartKey>`);
  } else {
    const id = carrier === 'body' ? reply.sessionId : headers.Session.attributes.id;
    block(`<shop:Session xmlns:shop="${SHOP}" id="${id}"/>`);
  }
}

async function main() {
  const client = await soap.createClientAsync(`${process.env.CONTRACTS}/cart-${carrier}.wsdl`);
  client.setEndpoint(url + carrier);
  const [reply, , headers] = await client.loginAsync({ customer });
  console.log('login', reply.node);
  carry(client, reply, headers);
  for (const [article, quantity] of [['tea', 1], ['jam', 2]]) {
    const [said] = await client.addAsync({ article, quantity });
    console.log('add', said.node, String(said.count));
  }
  const [items] = await client.itemsAsync({});
  const lines = items.line.map((line) => `${line.article}=${line.quantity}`);
  console.log('items', items.node, items.customer, lines.join(','));
  const [last] = await client.checkoutAsync({});
  console.log('checkout', last.node, String(last.count));
}

main().catch((error) => {
  const fault = error.root && error.root.Envelope && error.root.Envelope.Body.Fault;
  if (!fault) throw error;
  console.log('fault', fault.faultcode);
  process.exitCode = 3;
});
