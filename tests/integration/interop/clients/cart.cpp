// gSOAP: a client of the cart, see ../stacks.py for what it is told and tells.
//
// Built with WITH_COOKIES it keeps cookies. The header blocks of a reply lie in `soap->header`, which
// goes out again with the next call; but a reply without a Header empties it, so the id is kept
// here and put there before every call.

#include <cstdlib>
#include <iostream>
#include <string>

#include "soapCartProxy.h"
#include "Cart.nsmap"

static int failed(CartProxy &cart) {
    const char **code = soap_faultcode(cart.soap);
    std::cout << "fault " << (code && *code ? *code : "none") << std::endl;
    cart.soap_stream_fault(std::cerr);
    return 3;
}

// Lets the next call carry the id; an empty one is none.
static void carry(CartProxy &cart, const std::string &id) {
    cart.soap->header = NULL;
    if (id.empty()) return;
    soap_header(cart.soap);
    cart.soap->header->shop__Session_ = soap_new_shop__Session(cart.soap);
    cart.soap->header->shop__Session_->id = id;
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    const std::string url = argv[1], carrier = argv[2];
    const std::string endpoint = url + carrier;
    CartProxy cart(endpoint.c_str(), SOAP_IO_KEEPALIVE);
    cart.soap->connect_timeout = cart.soap->recv_timeout = cart.soap->send_timeout = 60;

    shop__login login;
    login.customer = argv[3];
    shop__loginResponse started;
    if (cart.login(&login, started)) return failed(cart);
    std::cout << "login " << started.node << std::endl;
    std::string id;
    if (carrier == "header") id = cart.soap->header->shop__Session_->id;
    if (carrier == "body") id = *started.sessionId;

    const char *articles[] = {"tea", "jam"};
    for (int at = 0; at < 2; ++at) {
        shop__add add;
        add.article = articles[at];
        add.quantity = std::to_string(at + 1);
        shop__addResponse added;
        carry(cart, id);
        if (cart.add(&add, added)) return failed(cart);
        std::cout << "add " << added.node << " " << added.count << std::endl;
    }

    shop__items items;
    shop__itemsResponse held;
    carry(cart, id);
    if (cart.items(&items, held)) return failed(cart);
    std::cout << "items " << held.node << " " << held.customer << " ";
    for (size_t at = 0; at < held.line.size(); ++at)
        std::cout << (at ? "," : "") << held.line[at]->article << "=" << held.line[at]->quantity;
    std::cout << std::endl;

    shop__checkout checkout;
    shop__checkoutResponse bought;
    carry(cart, id);
    if (cart.checkout(&checkout, bought)) return failed(cart);
    std::cout << "checkout " << bought.node << " " << bought.count << std::endl;
    return EXIT_SUCCESS;
}
