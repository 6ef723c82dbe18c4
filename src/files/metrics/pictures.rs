//! What is made of objects: images and compressed texts. Their own counters are read at each scrape.

use std::sync::atomic::Ordering;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use crate::VariantFigures;
use platform::label_enum;

label_enum! {
    /// How a variant came to be given.
    pub enum VariantOutcome {
        /// It was in the cache.
        Hit = "hit",
        Made = "made",
        /// Another request had asked for it.
        Shared = "shared",
        Failed = "failed",
    }
}

label_enum! {
    /// Why a child that decodes images ended before its time.
    pub enum ChildEnd {
        /// It did not answer in time.
        Overdue = "overdue",
        Died = "died",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VariantLabels {
    outcome: VariantOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChildLabels {
    reason: ChildEnd,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Pictures {
    variants: Family<VariantLabels, Counter>,
    ended: Family<ChildLabels, Counter>,
    refused: Counter,
    waiting: Gauge,
    cache: Gauge,
}

impl Pictures {
    pub fn register(registry: &mut Registry) -> Self {
        let pictures = Self::default();
        VariantOutcome::ALL.iter().for_each(|&outcome| pictures.variant(outcome, 0));
        ChildEnd::ALL.iter().for_each(|&reason| pictures.child(reason, 0));
        let p = &pictures;
        registry.register(
            "variants",
            "Images and compressed texts that were asked for, by outcome",
            p.variants.clone(),
        );
        let ended = "Children that decode images and ended before their time, by reason";
        registry.register("image_children_ended", ended, p.ended.clone());
        let refused = "Images that were not made because too many waited";
        registry.register("image_orders_refused", refused, p.refused.clone());
        registry.register("image_orders_waiting", "Images that wait for a child", p.waiting.clone());
        let cache = "Bytes of images and compressed texts that are kept";
        registry.register_with_unit("variant_cache", cache, Unit::Bytes, p.cache.clone());
        pictures
    }

    pub fn set(&self, variants: &VariantFigures, pool: &images::Figures) {
        let &VariantFigures { bytes, hits, made, failed, shared, .. } = variants;
        for (outcome, count) in [
            (VariantOutcome::Hit, hits),
            (VariantOutcome::Made, made),
            (VariantOutcome::Shared, shared),
            (VariantOutcome::Failed, failed),
        ] {
            self.variant(outcome, count);
        }
        self.child(ChildEnd::Overdue, pool.overdue);
        self.child(ChildEnd::Died, pool.died);
        self.refused.inner().store(pool.refused, Ordering::Relaxed);
        self.waiting.set(i64::try_from(pool.waiting).unwrap_or(i64::MAX));
        self.cache.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    fn variant(&self, outcome: VariantOutcome, count: u64) {
        self.variants.get_or_create(&VariantLabels { outcome }).inner().store(count, Ordering::Relaxed);
    }

    fn child(&self, reason: ChildEnd, count: u64) {
        self.ended.get_or_create(&ChildLabels { reason }).inner().store(count, Ordering::Relaxed);
    }
}
