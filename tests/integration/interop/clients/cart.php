<?php
// PHP's SoapClient: a client of the cart, see ../stacks.py for what it is told and tells.
//
// It keeps cookies by itself. Header blocks of a reply come out of __soapCall; those of requests
// are set with __setSoapHeaders, as raw XML where an attribute is wanted.

const SHOP = 'urn:example:shop';

[, $url, $carrier, $customer] = $argv;

$client = new SoapClient(getenv('CONTRACTS') . "/cart-$carrier.wsdl", [
    'location' => $url . $carrier,
    'keep_alive' => true,
    'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
]);

/** The header block to send with each request of the session, null for none. */
function block(string $carrier, object $reply, array $headers): ?SoapHeader
{
    if ($carrier === 'cookie') {
        return null;
    }
    if ($carrier === 'wsa') {
        return new SoapHeader(SHOP, 'CartKey', $headers['ReplyTo']->ReferenceParameters->CartKey);
    }
    $id = $carrier === 'body' ? $reply->sessionId : $headers['Session']->id;
    $xml = sprintf('<shop:Session xmlns:shop="%s" id="%s"/>', SHOP, htmlspecialchars($id));
    return new SoapHeader(SHOP, 'Session', new SoapVar($xml, XSD_ANYXML));
}

try {
    $headers = [];
    $reply = $client->__soapCall('login', [['customer' => $customer]], null, null, $headers);
    echo "login $reply->node\n";
    $client->__setSoapHeaders(block($carrier, $reply, $headers));
    foreach (['tea' => 1, 'jam' => 2] as $article => $quantity) {
        $reply = $client->add(['article' => $article, 'quantity' => $quantity]);
        echo "add $reply->node $reply->count\n";
    }
    $reply = $client->items([]);
    $lines = array_map(fn ($line) => "$line->article=$line->quantity", $reply->line);
    echo "items $reply->node $reply->customer " . implode(',', $lines) . "\n";
    $reply = $client->checkout([]);
    echo "checkout $reply->node $reply->count\n";
} catch (SoapFault $fault) {
    echo "fault $fault->faultcode\n";
    exit(3);
}
