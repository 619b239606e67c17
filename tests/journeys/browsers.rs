//! Web pages call the API: the stack under test allows `http://*`, as every stack on this machine does.

use loam_kit::{Api, Stack};

use crate::routes::routes;

const PAGE: &str = "http://localhost:5173";

#[tokio::test]
async fn a_page_of_an_allowed_origin_may_ask_every_route_and_no_other_page_may() {
    let stack = Stack::deployed();
    let nobody = Api::new(&stack, None);
    for route in routes() {
        let asks = |origin: &'static str| [("origin", origin), ("access-control-request-method", "GET")];
        for stage in ["", "/Prod"] {
            let path = format!("{stage}{}", route.path("nobody"));
            let answer = nobody.send("OPTIONS", &path, &asks(PAGE), None).await;
            assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{path}");
            assert_eq!(answer.header("access-control-allow-origin"), PAGE);
            let methods = answer.header("access-control-allow-methods").to_owned();
            assert!(methods.split(',').any(|method| method == route.method), "{methods} lacks {}", route.method);
            assert!(answer.header("access-control-allow-headers").contains("authorization"));
            assert_eq!(answer.header("access-control-allow-credentials"), "");
            let foreign = nobody.send("OPTIONS", &path, &asks("https://evil.example"), None).await;
            assert_eq!(foreign.header("access-control-allow-origin"), "", "{path}");
        }
    }
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_reads_the_answer_and_its_etag() {
    let stack = Stack::deployed();
    let user = Api::user(&stack).await;
    let answer = user.send("GET", "/v1/things", &[("origin", PAGE)], None).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, PAGE));
    let exposed = answer.header("access-control-expose-headers");
    assert!(exposed.split(',').any(|name| name == "etag"), "{exposed}");
    let foreign = user.send("GET", "/v1/things", &[("origin", "https://evil.example")], None).await;
    assert_eq!((foreign.status, foreign.header("access-control-allow-origin")), (200, ""));
    assert_eq!(user.get("/v1/things").await.header("access-control-allow-origin"), "");
}
