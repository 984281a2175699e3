// Go's gowsdl/soap: a client of the cart, see ../../stacks.py for what it is told and tells.
//
// It keeps no cookies unless its http.Client has a jar. Header blocks of requests are set with
// SetHeaders; those of a reply are not handed out, so the transport reads them from the bytes.
package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"strings"

	"github.com/hooklift/gowsdl/soap"
)

type login struct {
	XMLName  xml.Name `xml:"urn:example:shop login"`
	Customer string   `xml:"customer"`
}

type add struct {
	XMLName  xml.Name `xml:"urn:example:shop add"`
	Article  string   `xml:"article"`
	Quantity int      `xml:"quantity"`
}

type items struct {
	XMLName xml.Name `xml:"urn:example:shop items"`
}

type checkout struct {
	XMLName xml.Name `xml:"urn:example:shop checkout"`
}

// What any reply may say.
type reply struct {
	Node      string `xml:"node"`
	SessionID string `xml:"sessionId"`
	Count     int    `xml:"count"`
	Customer  string `xml:"customer"`
	Lines     []struct {
		Article  string `xml:"article"`
		Quantity int    `xml:"quantity"`
	} `xml:"line"`
}

type session struct {
	XMLName xml.Name `xml:"urn:example:shop Session"`
	ID      string   `xml:"id,attr"`
}

type cartKey struct {
	XMLName xml.Name `xml:"urn:example:shop CartKey"`
	Text    string   `xml:",chardata"`
}

// The header blocks that issue an id.
type issued struct {
	Session session `xml:"Header>Session"`
	Key     string  `xml:"Header>ReplyTo>ReferenceParameters>CartKey"`
}

// A client that remembers the ids of the first reply.
type reader struct {
	http.Client
	read   bool
	issued issued
}

func (r *reader) Do(request *http.Request) (*http.Response, error) {
	response, err := r.Client.Do(request)
	if err != nil || r.read {
		return response, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	r.read = true
	return response, xml.Unmarshal(body, &r.issued)
}

func talk(url, carrier, customer string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	reader := &reader{Client: http.Client{Jar: jar}}
	client := soap.NewClient(url+carrier, soap.WithHTTPClient(reader))
	call := func(name string, what any) (reply, error) {
		var said reply
		err := client.Call(name, what, &said)
		return said, err
	}

	said, err := call("login", &login{Customer: customer})
	if err != nil {
		return err
	}
	fmt.Println("login", said.Node)
	switch carrier {
	case "header":
		client.SetHeaders(session{ID: reader.issued.Session.ID})
	case "body":
		client.SetHeaders(session{ID: said.SessionID})
	case "wsa":
		client.SetHeaders(cartKey{Text: reader.issued.Key})
	}
	for at, article := range []string{"tea", "jam"} {
		if said, err = call("add", &add{Article: article, Quantity: at + 1}); err != nil {
			return err
		}
		fmt.Println("add", said.Node, said.Count)
	}
	if said, err = call("items", &items{}); err != nil {
		return err
	}
	var lines []string
	for _, line := range said.Lines {
		lines = append(lines, fmt.Sprintf("%s=%d", line.Article, line.Quantity))
	}
	fmt.Println("items", said.Node, said.Customer, strings.Join(lines, ","))
	if said, err = call("checkout", &checkout{}); err != nil {
		return err
	}
	fmt.Println("checkout", said.Node, said.Count)
	return nil
}

func main() {
	err := talk(os.Args[1], os.Args[2], os.Args[3])
	var refused *soap.HTTPError // of a status 500, fault or not, gowsdl reads no envelope
	if errors.As(err, &refused) {
		var said struct {
			Code string `xml:"Body>Fault>faultcode"`
		}
		if xml.Unmarshal(refused.ResponseBody, &said) == nil && said.Code != "" {
			fmt.Println("fault", said.Code)
			os.Exit(3)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
