// WCF (Mono's System.ServiceModel): a client of the cart, see ../stacks.py for what it is told and
// tells.
//
// BasicHttpBinding keeps cookies only with AllowCookies. Header blocks go in and out through
// message contracts; a reference parameter through an inspector that reads wsa:ReplyTo, since
// BasicHttpBinding does no WS-Addressing.

using System;
using System.Collections.Generic;
using System.Linq;
using System.ServiceModel;
using System.ServiceModel.Channels;
using System.ServiceModel.Description;
using System.ServiceModel.Dispatcher;
using System.Xml;

public static class Shop { public const string Name = "urn:example:shop"; }

[MessageContract(WrapperName = "login", WrapperNamespace = Shop.Name)]
public class Login { [MessageBodyMember(Namespace = Shop.Name)] public string customer; }

[MessageContract(WrapperName = "loginResponse", WrapperNamespace = Shop.Name)]
public class LoginResponse
{
    [MessageBodyMember(Namespace = Shop.Name, Order = 0)] public string node;
    [MessageBodyMember(Namespace = Shop.Name, Order = 1)] public string sessionId;
}

[MessageContract(WrapperName = "add", WrapperNamespace = Shop.Name)]
public class Add
{
    [MessageBodyMember(Namespace = Shop.Name, Order = 0)] public string article;
    [MessageBodyMember(Namespace = Shop.Name, Order = 1)] public int quantity;
}

[MessageContract(WrapperName = "items", WrapperNamespace = Shop.Name)]
public class Items { }

[MessageContract(WrapperName = "checkout", WrapperNamespace = Shop.Name)]
public class Checkout { }

[ServiceContract(Namespace = Shop.Name)]
public interface ICart
{
    [OperationContract(Action = "login", ReplyAction = "*")] LoginResponse Login(Login what);
    [OperationContract(Action = "add", ReplyAction = "*")] Message Add(Add what);
    [OperationContract(Action = "items", ReplyAction = "*")] Message Items(Items what);
    [OperationContract(Action = "checkout", ReplyAction = "*")] Message Checkout(Checkout what);
}

public sealed class SessionHeader : MessageHeader
{
    private readonly string name, id;
    public SessionHeader(string name, string id) { this.name = name; this.id = id; }
    public override string Name { get { return name; } }
    public override string Namespace { get { return Shop.Name; } }

    protected override void OnWriteHeaderContents(XmlDictionaryWriter writer, MessageVersion version)
    {
        if (name == "Session") writer.WriteAttributeString("id", id);
        else writer.WriteString(id);
    }
}

// Reads the id out of a reply's header blocks and puts it into every later request.
public sealed class Echo : IClientMessageInspector, IEndpointBehavior
{
    private readonly string carrier;
    public string Id;
    public Echo(string carrier) { this.carrier = carrier; }

    public object BeforeSendRequest(ref Message request, IClientChannel channel)
    {
        if (Id != null)
            request.Headers.Add(new SessionHeader(carrier == "wsa" ? "CartKey" : "Session", Id));
        return null;
    }

    public void AfterReceiveReply(ref Message reply, object state)
    {
        if (carrier != "header" && carrier != "wsa") return;
        for (int at = 0; at < reply.Headers.Count; at++)
        {
            var block = new XmlDocument();
            block.Load(reply.Headers.GetReaderAtHeader(at));
            var key = block.GetElementsByTagName("CartKey", Shop.Name);
            if (key.Count == 1) Id = key[0].InnerText;
            if (block.DocumentElement.LocalName == "Session")
                Id = block.DocumentElement.GetAttribute("id");
        }
    }

    public void AddBindingParameters(ServiceEndpoint endpoint, BindingParameterCollection all) { }
    public void ApplyDispatchBehavior(ServiceEndpoint endpoint, EndpointDispatcher dispatcher) { }
    public void Validate(ServiceEndpoint endpoint) { }
    public void ApplyClientBehavior(ServiceEndpoint endpoint, ClientRuntime runtime)
    {
        runtime.MessageInspectors.Add(this);
    }
}

public static class Program
{
    // The texts of the elements of a reply's Body.
    private static XmlElement Read(Message message)
    {
        if (message.IsFault)
            throw new FaultException(MessageFault.CreateFault(message, 65536));
        var document = new XmlDocument();
        document.Load(message.GetReaderAtBodyContents());
        return document.DocumentElement;
    }

    private static string Text(XmlElement reply, string name)
    {
        return reply[name, Shop.Name].InnerText;
    }

    public static int Main(string[] arguments)
    {
        var binding = new BasicHttpBinding { AllowCookies = arguments[1] == "cookie" };
        binding.UseDefaultWebProxy = false;
        var address = new EndpointAddress(arguments[0] + arguments[1]);
        var factory = new ChannelFactory<ICart>(binding, address);
        var echo = new Echo(arguments[1]);
        factory.Endpoint.Behaviors.Add(echo);
        var cart = factory.CreateChannel();
        try
        {
            var started = cart.Login(new Login { customer = arguments[2] });
            Console.WriteLine("login " + started.node);
            if (arguments[1] == "body") echo.Id = started.sessionId;
            var articles = new Dictionary<string, int> { { "tea", 1 }, { "jam", 2 } };
            foreach (var one in articles)
            {
                var added = Read(cart.Add(new Add { article = one.Key, quantity = one.Value }));
                Console.WriteLine("add " + Text(added, "node") + " " + Text(added, "count"));
            }
            var held = Read(cart.Items(new Items()));
            var lines = held.GetElementsByTagName("line", Shop.Name).Cast<XmlElement>();
            Console.WriteLine("items " + Text(held, "node") + " " + Text(held, "customer") + " "
                + string.Join(",", lines.Select(l => Text(l, "article") + "=" + Text(l, "quantity"))));
            var bought = Read(cart.Checkout(new Checkout()));
            Console.WriteLine("checkout " + Text(bought, "node") + " " + Text(bought, "count"));
            factory.Close();
            return 0;
        }
        catch (FaultException fault)
        {
            Console.WriteLine("fault " + fault.Code.Name);
            return 3;
        }
    }
}
