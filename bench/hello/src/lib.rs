//! Responds to every request with the bytes of a successful migration.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

/// The response to a successful migration.
const ANSWER: &[u8] = br#"{"success":true,"message":"Token migrated successfully"}"#;

struct Hello;

impl Guest for Hello {
    fn handle(_request: IncomingRequest, out: ResponseOutparam) {
        let fields = Fields::new();
        // An error here is visible to the generator: it does not count a response without a length.
        let _typed = fields.set("content-type", &[b"application/json".to_vec()]);
        let _measured = fields.set("content-length", &[ANSWER.len().to_string().into_bytes()]);
        let response = OutgoingResponse::new(fields);
        let body = response.body();
        ResponseOutparam::set(out, Ok(response));
        let Ok(body) = body else { return };
        if let Ok(stream) = body.write() {
            let _written = stream.blocking_write_and_flush(ANSWER);
        }
        let _finished = OutgoingBody::finish(body, None);
    }
}

wasip2::http::proxy::export!(Hello);
