//! What a room is made of, each of its functions a line.

/// A room's dialect: a type that is a [`Dialect`](sabir_core::Dialect) by these functions, in the shapes of its methods.
macro_rules! room {
    ($(#[$meta:meta])* $dialect:ident { $($method:ident: $of_room:expr,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default)]
        pub struct $dialect;

        impl sabir_core::Dialect for $dialect {
            $($crate::room::method!($method, $of_room);)+
        }
    };
}

/// One method of a dialect. What does not depend on what is given to a method is a value.
macro_rules! method {
    (name, $name:expr) => {
        fn name(&self) -> &'static str {
            $name
        }
    };
    (paths, $paths:expr) => {
        fn paths(&self) -> &'static [&'static str] {
            &$paths
        }
    };
    (quirks, $quirks:expr) => {
        fn quirks(&self) -> &'static [&'static str] {
            &$quirks
        }
    };
    (abilities, $abilities:expr) => {
        fn abilities(&self, _: &sabir_core::Quirks) -> sabir_core::Abilities {
            $abilities
        }
    };
    (encode, $encode:expr) => {
        fn encode(
            &self,
            request: &sabir_core::chat::ChatRequest,
            endpoint: &sabir_core::Endpoint,
        ) -> sabir_core::Result<sabir_core::dialect::Encoded> {
            $encode(request, endpoint)
        }

        fn pass(
            &self,
            passage: &sabir_core::Passage,
            request: &sabir_core::chat::ChatRequest,
            endpoint: &sabir_core::Endpoint,
        ) -> Option<sabir_core::dialect::Encoded> {
            $crate::passing::pass(self, passage, request, endpoint)
        }

        fn gives_back(
            &self,
            passage: &sabir_core::Passage,
            request: &sabir_core::chat::ChatRequest,
            endpoint: &sabir_core::Endpoint,
        ) -> bool {
            $crate::passing::gives_back(self, passage, request, endpoint)
        }
    };
    (decode, $decode:expr) => {
        fn decode(
            &self,
            answer: sabir_core::dialect::Answer<'_>,
        ) -> sabir_core::Result<sabir_core::chat::ChatResponse> {
            $decode(answer)
        }
    };
    (decoder, $decoder:expr) => {
        fn decoder(&self) -> Box<dyn sabir_core::dialect::Decoder> {
            Box::new($decoder())
        }
    };
    (framing, $framing:expr) => {
        fn framing(&self, headers: &http::HeaderMap) -> Option<sabir_core::frame::Framing> {
            $framing(headers)
        }
    };
    (accept, $accept:expr) => {
        fn accept(&self, asked: sabir_core::dialect::Asked<'_>) -> sabir_core::Result<sabir_core::chat::ChatRequest> {
            $accept(asked)
        }
    };
    (respond, $respond:expr) => {
        fn respond(
            &self,
            response: &sabir_core::chat::ChatResponse,
            request: &sabir_core::chat::ChatRequest,
        ) -> sabir_core::dialect::Responded {
            $respond(response, request)
        }
    };
    (encoder, $encoder:expr) => {
        fn encoder(&self, request: &sabir_core::chat::ChatRequest) -> Box<dyn sabir_core::dialect::Encoder> {
            Box::new($encoder(request))
        }
    };
    (refuse, $refuse:expr) => {
        fn refuse(&self, error: &sabir_core::Error) -> (http::StatusCode, bytes::Bytes) {
            $refuse(error)
        }
    };
}

pub(crate) use {method, room};
