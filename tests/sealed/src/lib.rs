//! A plugin that imports WASI and reports all that it finds there: nothing, where the host seals it.

use keyferry_plugin::prelude::*;

use bindings::wasi::cli::environment;
use bindings::wasi::filesystem::preopens;
use bindings::wasi::sockets::network::{IpAddressFamily, IpSocketAddress, Ipv4SocketAddress};
use bindings::wasi::sockets::{instance_network, ip_name_lookup, tcp_create_socket};

mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "looking", generate_all });
}

struct Sealed;

impl Plugin for Sealed {
    fn describe() -> App {
        App::new("sealed", "Sealed")
            .docs("https://sealed.example.com/docs")
            .grant(Grant::host("api.sealed.example.com").get("/v1/me"))
            .auth(
                AuthType::keybased("Key")
                    .field(Field::text("port", "Port of a listener on loopback").required().pattern("[0-9]{1,5}"))
                    .field(Field::secret("api_key", "API key").required()),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let port = credential.text("port")?.parse().unwrap_or_default();
        let environment = environment::get_environment();
        let arguments = environment::get_arguments();
        let folder = environment::initial_cwd();
        let folders = preopens::get_directories().len();
        let network = instance_network::instance_network();
        let name = ip_name_lookup::resolve_addresses(&network, "localhost").map(|_| "resolved");
        let address = IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: (127, 0, 0, 1) });
        let socket = tcp_create_socket::create_tcp_socket(IpAddressFamily::Ipv4)
            .and_then(|socket| socket.start_connect(&network, address));
        Err(Failure::unexpected(format!(
            "environment {environment:?} arguments {arguments:?} folder {folder:?} folders {folders} name {name:?} socket \
             {socket:?}"
        )))
    }
}

keyferry_plugin::export!(Sealed);
