//! The parsers of what devices and apps send to pairing, to the relay of mailboxes and to commands.

use commands::event::Message as Word;
use commands::mailbox::What;
use commands::order::MOST_PAYLOAD_BYTES;
use loam_domain::ThingName;
use pairing::device_key::{Algorithm, DeviceKey};
use pairing::relay::Message as News;
use pairing::saga::Message as Button;
use pairing::window::MOST_SECONDS;

use crate::parsers::event;

/// The input is a message of the queue of commands, or else what a device says of a command, or what an app wants of a
/// thing. What is wanted is within its bounds, and never the firmware.
pub(crate) fn command_message(input: &[u8]) -> bool {
    let topics = [
        "loam/t1/commands/0123456789abcdef0123456789abcdef/succeeded",
        "loam/users/eu-west-1:i/things/t1/desired",
        "loam/users/eu-west-1:i/things/t1/commands/request",
    ];
    let around = topics.map(|topic| event(topic, input).to_string());
    let mut good = false;
    for body in around.iter().map(String::as_str).chain([&*String::from_utf8_lossy(input)]) {
        match Word::parse(body) {
            Ok(Word::Wish(wished)) => {
                let Ok(wish) = wished.address.wish(&wished.payload) else { continue };
                match wish.what {
                    What::Desired { patch, .. } => assert!(!patch.desired().contains_key("firmware")),
                    What::Command(order) => assert!(order.payload.len() <= MOST_PAYLOAD_BYTES),
                }
                good = true;
            }
            Ok(_) => good = true,
            Err(refused) => assert!(!refused.code().is_empty() && refused.detail().len() < 400),
        }
    }
    good
}

/// The input is a message of pairing's queue, or else the word of a device's button. A window ends.
pub(crate) fn pairing_message(input: &[u8]) -> bool {
    let pressed = event("loam/t1/pairing/window", input).to_string();
    let mut good = false;
    for body in [&*String::from_utf8_lossy(input), &pressed] {
        let Ok(message) = Button::parse(body) else { continue };
        if let Button::Window(thing, press, _) = &message {
            assert!(ThingName::parse(thing.as_str()).is_ok() && (0..=MOST_SECONDS).contains(&press.seconds));
        }
        good |= message != Button::NotOurs;
    }
    good
}

/// The input is a message of the relay's queue, or else the document of a shadow.
pub(crate) fn relay_news(input: &[u8]) -> bool {
    let document = event("$aws/things/t1/shadow/update/documents", input).to_string();
    let bodies = [&*String::from_utf8_lossy(input), &document];
    let understood = bodies.into_iter().filter_map(|body| News::parse(body).ok());
    understood
        .filter(|message| matches!(message, News::News(news) if ThingName::parse(news.thing.as_str()).is_ok()))
        .count()
        > 0
}

/// The input is a certificate in PEM form. Whatever key it holds, the input is no signature of it.
pub(crate) fn device_key(input: &[u8]) -> bool {
    let Ok(key) = DeviceKey::from_pem(&String::from_utf8_lossy(input)) else { return false };
    assert!(Algorithm::ALL.into_iter().all(|algorithm| key.verify(algorithm, "text", input).is_err()));
    true
}
