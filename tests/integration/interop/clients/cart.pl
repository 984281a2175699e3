# Perl's SOAP::Lite: a client of the cart, see ../stacks.py for what it is told and tells.
#
# It works without a contract. A cookie jar has to be given to it; header blocks of a reply are
# read with `dataof`, those of requests are SOAP::Header objects among the arguments.

use strict;
use warnings;
use HTTP::Cookies;
use SOAP::Lite;

my ($url, $carrier, $customer) = @ARGV;
my $shop = 'urn:example:shop';

my $client = SOAP::Lite->proxy($url . $carrier, cookie_jar => HTTP::Cookies->new, timeout => 60)
    ->default_ns($shop)
    ->autotype(0);
$client->on_fault(sub {
    my ($self, $answer) = @_;
    print 'fault ', ref $answer ? $answer->faultcode : $client->transport->status, "\n";
    exit 3;
});

my $block;

sub call {
    my ($name, @arguments) = @_;
    my @data = map { SOAP::Data->name($_->[0] => $_->[1]) } @arguments;
    # a call without arguments would be marked xsi:nil, which Spyne takes for no call at all
    @data = SOAP::Data->type(xml => '') if !@data;
    return $client->call($name, @data, defined $block ? $block : ());
}

sub block {
    my ($answer) = @_;
    return if $carrier eq 'cookie';
    if ($carrier eq 'wsa') {
        my $key = $answer->valueof('//Header/ReplyTo/ReferenceParameters/CartKey');
        return SOAP::Header->name('CartKey' => $key)->uri($shop)->prefix('cart');
    }
    my $id = $carrier eq 'body'
        ? $answer->valueof('//loginResponse/sessionId')
        : $answer->dataof('//Header/Session')->attr->{id};
    return SOAP::Header->name('Session' => '')->uri($shop)->prefix('cart')->attr({ id => $id });
}

my $answer = call('login', [ customer => $customer ]);
print 'login ', $answer->valueof('//loginResponse/node'), "\n";
$block = block($answer);
for ([ tea => 1 ], [ jam => 2 ]) {
    $answer = call('add', [ article => $_->[0] ], [ quantity => $_->[1] ]);
    print join(' ', 'add', map { $answer->valueof("//addResponse/$_") } qw(node count)), "\n";
}
$answer = call('items');
my @lines = map { "$_->{article}=$_->{quantity}" } $answer->valueof('//itemsResponse/line');
my @said = map { $answer->valueof("//itemsResponse/$_") } qw(node customer);
print join(' ', 'items', @said, join(',', @lines)), "\n";
$answer = call('checkout');
print join(' ', 'checkout', map { $answer->valueof("//checkoutResponse/$_") } qw(node count)), "\n";
