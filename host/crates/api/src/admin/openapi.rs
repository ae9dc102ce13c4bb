//! The operator's API in OpenAPI 3.1, made of the operations themselves.

use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::Object;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, OpenApi as Document, Ref, RefOr, Required, Response, ResponseBuilder, Schema, path,
};
use utoipa::{Modify, OpenApi, PartialSchema as _, ToSchema as _};

use crate::admin::operations::{Operation, Verb};
use crate::admin::response::{PROBLEM_JSON, Problem};

/// The document without its paths.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Keyferry for operators",
        description = "On a Unix socket in the data folder that only its owner can use, without a token; and where the server was \
            told to, on an address, with the operator's token. API keys of organisations do not count here. Members that are not \
            known are refused.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers((url = "/", description = "`admin.sock` in the data folder, or the address of `--admin-listen`.")),
    security((), ("operator_token" = [])),
    components(schemas(Problem)),
    modifiers(&Token),
)]
struct Preface;

/// How an operator authenticates over TCP.
struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut Document) {
        let about = "What the file of `--admin-token-file` holds. Not on the socket.";
        let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(about)).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("operator_token", SecurityScheme::Http(token));
    }
}

/// The document before the paths are in it.
pub(super) fn preface() -> Document {
    Preface::openapi()
}

/// The schemas that the description of an operation refers to.
pub(super) fn schemas<O: Operation>() -> Vec<(String, RefOr<Schema>)> {
    let mut schemas = Vec::new();
    O::schemas(&mut schemas);
    O::Done::schemas(&mut schemas);
    schemas
}

/// The description of an operation. Its members are in the path, and in the query of a read or the body of a change.
pub(super) fn operation<O: Operation>() -> path::Operation {
    let mut members = match O::schema() {
        RefOr::T(Schema::Object(members)) => members,
        _ => Object::default(),
    };
    let in_path: Vec<&str> = O::ROUTE.in_path().collect();
    let is_in_path = |name: &String| in_path.contains(&name.as_str());
    let mut operation = OperationBuilder::new()
        .operation_id(Some(O::ROUTE.id))
        .summary(members.description.clone())
        .parameters(Some(Vec::<path::Parameter>::new()))
        .response("200", response("The result of the operation.", "application/json", O::Done::schema()))
        .response("default", response("The error.", PROBLEM_JSON, Ref::from_schema_name("Problem").into()));
    for (name, schema) in &members.properties {
        let (place, is_required) = match O::ROUTE.verb {
            _ if is_in_path(name) => (ParameterIn::Path, true),
            Verb::Read => (ParameterIn::Query, members.required.contains(name)),
            Verb::Change => continue,
        };
        let required = if is_required { Required::True } else { Required::False };
        let parameter = ParameterBuilder::new().name(name).parameter_in(place).required(required);
        operation = operation.parameter(parameter.schema(Some(schema.clone())));
    }
    if O::ROUTE.verb == Verb::Change {
        members.properties.retain(|name, _| !is_in_path(name));
        members.required.retain(|name| !is_in_path(name));
        let content = ContentBuilder::new().schema(Some(Schema::Object(members))).build();
        let body = RequestBodyBuilder::new().required(Some(Required::False)).content("application/json", content);
        operation = operation.request_body(Some(body.build()));
    }
    operation.build()
}

/// A response with one body.
pub(super) fn response(description: &str, content_type: &str, schema: RefOr<Schema>) -> Response {
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(description).content(content_type, content).build()
}
