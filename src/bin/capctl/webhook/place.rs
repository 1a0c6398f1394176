//! Where this deployment takes deliveries, and which webhooks send there. Nobody else judges that.

use reqwest::Url;

use super::entry::Entry;

/// The one route of the receiver.
pub(super) struct Place {
    url: String,
    parsed: Option<Url>,
}

impl Place {
    pub(super) fn new(url: &str) -> Self {
        Self { url: url.to_owned(), parsed: Url::parse(url.trim()).ok() }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Whether a webhook sends to this deployment, were it switched on. The gateway has a route for this path and no other; what stands
    /// behind the path does not change the route.
    pub(super) fn is_sent_to_by(&self, entry: &Entry) -> bool {
        self.agrees(entry, |here, there| here.path() == there.path())
    }

    /// Whether it would, but for a slash in the end: the gateway has no route for that.
    pub(super) fn is_missed_by_a_slash(&self, entry: &Entry) -> bool {
        let bare = |url: &Url| url.path().trim_end_matches('/').to_owned();
        self.agrees(entry, |here, there| here.path() != there.path() && bare(here) == bare(there))
    }

    /// Parsed URLs have their scheme and host in lower case, and no port where it is the usual one.
    fn agrees(&self, entry: &Entry, paths_agree: impl Fn(&Url, &Url) -> bool) -> bool {
        let (Some(here), Ok(there)) = (&self.parsed, Url::parse(entry.url().trim())) else { return false };
        entry.is_http() && here.origin() == there.origin() && paths_agree(here, &there)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const HERE: &str = "https://hooks.example.net/v1/events";

    fn at(url: &str) -> Entry {
        Entry::read(json!({"webHookType": "HTTP", "webHookUrl": url})).unwrap()
    }

    #[test]
    fn an_address_is_the_same_however_its_host_and_its_port_are_written() {
        for url in [
            HERE,
            " https://hooks.example.net/v1/events ",
            "HTTPS://Hooks.Example.NET/v1/events",
            "https://hooks.example.net:443/v1/events",
            "https://hooks.example.net/v1/events?from=capillary",
        ] {
            assert!(Place::new(HERE).is_sent_to_by(&at(url)), "{url}");
            assert!(!Place::new(HERE).is_missed_by_a_slash(&at(url)), "{url}");
        }
    }

    #[test]
    fn another_scheme_host_port_or_path_is_another_place() {
        for url in [
            "http://hooks.example.net/v1/events",
            "https://hooks.example.org/v1/events",
            "https://hooks.example.net:8443/v1/events",
            "https://hooks.example.net/v1/Events",
            "https://hooks.example.net/v1/event",
            "hooks.example.net/v1/events",
            " ",
        ] {
            assert!(!Place::new(HERE).is_sent_to_by(&at(url)), "{url}");
            assert!(!Place::new(HERE).is_missed_by_a_slash(&at(url)), "{url}");
        }
        assert!(!Place::new(" ").is_sent_to_by(&at(" ")));
        let queue = Entry::read(json!({"webHookType": "QUEUE_INT", "webHookUrl": HERE})).unwrap();
        assert!(!Place::new(HERE).is_sent_to_by(&queue), "an internal queue sends nothing here");
    }

    #[test]
    fn a_slash_in_the_end_is_another_path_and_told_apart() {
        for url in ["https://hooks.example.net/v1/events/", "https://HOOKS.example.net:443/v1/events//"] {
            assert!(!Place::new(HERE).is_sent_to_by(&at(url)), "{url}");
            assert!(Place::new(HERE).is_missed_by_a_slash(&at(url)), "{url}");
        }
    }
}
