//! Targets that were refused because of where they are: counted by how that was found out.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use crate::{
    model::{Failure, Reason},
    target::literal,
};
use platform::label_enum;

label_enum! {
    /// How it was found out.
    pub enum Refused {
        /// A monitor was to be saved or tried with such an address.
        Saved = "saved",
        /// A check met the address itself: a redirect, a step, or a setting that was permitted once.
        Address = "address",
        /// A check met a name that leads to no other address.
        Name = "name",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    reason: Refused,
}

#[derive(Clone, Debug, Default)]
pub struct RefusedTargets(Family<Labels, Counter>);

impl RefusedTargets {
    pub fn register(registry: &mut Registry) -> Self {
        let this = Self::default();
        for &reason in Refused::ALL {
            let _ = this.0.get_or_create(&Labels { reason });
        }
        let help = "Addresses that no monitor may reach and that one asked for, by how it was found out";
        registry.register("targets_refused", help, this.0.clone());
        this
    }

    pub fn count(&self, reason: Refused) {
        self.0.get_or_create(&Labels { reason }).inc();
    }

    /// Counts a failure of this kind at a check of `host`; others are none of its business.
    pub fn met(&self, host: &str, failure: &Failure) {
        if failure.reason == Reason::PrivateAddress {
            self.count(if literal(host).is_some() { Refused::Address } else { Refused::Name });
        }
    }
}
