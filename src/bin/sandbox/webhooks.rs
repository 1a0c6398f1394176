//! All webhooks: the one that `/sandbox/webhook` sets, and those that were registered through Capillary's API.

use std::iter::once;

use crate::webhook::{Registration, Webhook};

pub(crate) struct Webhooks {
    /// It is there from the start to the end; without a URL nobody hears of it.
    own: Webhook,
    /// In the order in which they came.
    others: Vec<Webhook>,
}

impl Default for Webhooks {
    fn default() -> Self {
        Self { own: Webhook::for_everything(), others: Vec::new() }
    }
}

impl Webhooks {
    pub(crate) fn own(&self) -> &Webhook {
        &self.own
    }

    pub(crate) fn own_mut(&mut self) -> &mut Webhook {
        &mut self.own
    }

    /// Forgets those that were registered.
    pub(crate) fn reset(&mut self) {
        self.own.reset();
        self.others.clear();
    }

    pub(crate) fn add(&mut self, registration: Registration) -> Webhook {
        let webhook = Webhook::new(registration);
        self.others.push(webhook.clone());
        webhook
    }

    /// Those that Capillary's API lists.
    pub(crate) fn registered(&self) -> impl Iterator<Item = &Webhook> {
        self.all().filter(|webhook| webhook.is_registered())
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Webhook> {
        self.all().find(|webhook| webhook.id == id)
    }

    pub(crate) fn registered_mut(&mut self, id: &str) -> Option<&mut Webhook> {
        once(&mut self.own).chain(&mut self.others).find(|webhook| webhook.id == id && webhook.is_registered())
    }

    /// Whether another one than this has the name.
    pub(crate) fn is_taken(&self, name: &str, id: Option<&str>) -> bool {
        self.registered().any(|webhook| webhook.registration.name == name && Some(webhook.id.as_str()) != id)
    }

    /// The ids of those that an event is for.
    pub(crate) fn takers(&self, event_name: Option<&str>) -> Vec<String> {
        self.all().filter(|webhook| webhook.takes(event_name)).map(|webhook| webhook.id.clone()).collect()
    }

    fn all(&self) -> impl Iterator<Item = &Webhook> {
        once(&self.own).chain(&self.others)
    }
}
