//! What a dialect cannot express is a typed loss; in strict mode it is an error before anything is sent.

use std::sync::Arc;

use sabir::{Call, ChatRequest, Endpoint, ErrorKind, Request, Service as _, Stage};

use crate::asked;
use crate::play::{Counting, origin};

#[test]
fn strict_sends_nothing_that_would_lose_something() {
    for room in sabir::dialects::dialects() {
        let endpoint = Endpoint { base_url: "http://hostile.invalid/v1".into(), ..Endpoint::default() };
        let mut lossy = 0;
        for (name, request) in asked::chats() {
            let case = format!("{}, {name}", room.name());
            let encoded = room.encode(&request, &endpoint);
            let transport = Arc::new(Counting::default());
            let strict = Request::Chat(ChatRequest { strict: true, ..request });
            let outcome = sabir_testkit::block_on(origin(*room, transport.clone()).call(&Call::default(), &strict));
            let error = outcome.map(|_| ()).expect_err(&case);
            match encoded {
                Ok(encoded) if encoded.losses.is_empty() => {
                    assert_eq!((error.kind(), transport.sent()), (ErrorKind::Network, 1), "{case}: {error}");
                }
                Ok(encoded) => {
                    lossy += 1;
                    assert_eq!((error.kind(), transport.sent()), (ErrorKind::Unsupported, 0), "{case}: {error}");
                    assert_eq!(error.stage(), Stage::NotSent, "{case}");
                    for loss in encoded.losses {
                        assert!(error.message().contains(&loss.to_string()), "{case}: {loss} is not in {error}");
                    }
                }
                Err(refused) => {
                    assert_eq!((error.kind(), transport.sent()), (refused.kind(), 0), "{case}: {error}");
                    assert!(
                        matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::InvalidRequest),
                        "{case}: {error}"
                    );
                }
            }
        }
        assert!(lossy > 0, "{}: nothing was lost, so nothing was tried", room.name());
    }
}
