//! Percentiles that survive rolling up: counts in logarithmic buckets. Two are merged by adding counts, which gives exactly the sketch of all values,
//! in whatever order; so a month's percentile is as good as a minute's.
//!
//! A bucket `i` holds the values in `(gamma^(i-1), gamma^i]`, and stands for `2 gamma^i / (gamma + 1)`: at most 2.5 % from each of them (`DDSketch`,
//! Masson and others, VLDB 2019).

use std::collections::BTreeMap;

use super::varint;

const GAMMA: f64 = 1.0512;
/// Microseconds: what is faster or slower counts as these.
const FASTEST: i32 = 100;
const SLOWEST: i32 = 120_000_000;
/// Number of the bucket of [`FASTEST`]: others are stored as their distance.
const FIRST: u16 = 93;
/// Distance of the bucket of [`SLOWEST`].
const LAST: u16 = 280;
const VERSION: u8 = 1;

/// Counts of durations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    /// By the distance from [`FIRST`].
    counts: BTreeMap<u16, u64>,
}

/// The bytes are no sketch, or one of a newer version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are no sketch that this version can read")]
pub struct BadSketch;

/// The bucket of a duration in microseconds, as its distance from the first.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between FIRST and FIRST + LAST")]
pub fn bucket(us: i32) -> u16 {
    let number = (f64::from(us.clamp(FASTEST, SLOWEST)).ln() / GAMMA.ln()).ceil();
    let number = number.clamp(f64::from(FIRST), f64::from(FIRST + LAST)) as u16;
    number - FIRST
}

/// What a bucket stands for, microseconds.
#[expect(clippy::cast_possible_truncation, reason = "at most two minutes in microseconds")]
pub fn value(bucket: u16) -> i32 {
    let number = i32::from(FIRST) + i32::from(bucket.min(LAST));
    (2.0 * GAMMA.powi(number) / (GAMMA + 1.0)).round() as i32
}

/// Place of a quantile among so many values, 1 for the smallest.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the count")]
fn rank(q: f64, count: u64) -> u64 {
    ((q.clamp(0.0, 1.0) * count as f64).ceil() as u64).clamp(1, count.max(1))
}

impl Sketch {
    pub fn add(&mut self, us: i32) {
        *self.counts.entry(bucket(us)).or_default() += 1;
    }

    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.counts {
            *self.counts.entry(*bucket).or_default() += count;
        }
    }

    pub fn count(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The bucket of a quantile, 0 to 1, by the nearest rank.
    pub fn bucket_of(&self, q: f64) -> Option<u16> {
        let rank = rank(q, self.count());
        let mut below = 0;
        self.counts.iter().find_map(|(bucket, here)| {
            below += here;
            (below >= rank).then_some(*bucket)
        })
    }

    /// Microseconds; `None`: it is empty.
    pub fn quantile(&self, q: f64) -> Option<i32> {
        self.bucket_of(q).map(value)
    }

    /// No bytes at all are an empty one.
    pub fn read(bytes: &[u8]) -> Result<Self, BadSketch> {
        let Some((version, mut rest)) = bytes.split_first() else { return Ok(Self::default()) };
        if *version != VERSION {
            return Err(BadSketch);
        }
        let sketch = Self::take(&mut rest).ok_or(BadSketch)?;
        if rest.is_empty() { Ok(sketch) } else { Err(BadSketch) }
    }

    pub fn write(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        self.put(&mut bytes);
        bytes
    }

    /// As part of other bytes, without a version of its own.
    pub(super) fn put(&self, bytes: &mut Vec<u8>) {
        varint::put(bytes, self.counts.len() as u64);
        let mut before = 0;
        for (bucket, count) in &self.counts {
            varint::put(bytes, u64::from(bucket - before));
            varint::put(bytes, *count);
            before = *bucket;
        }
    }

    /// Takes what [`Self::put`] wrote from the front.
    pub(super) fn take(bytes: &mut &[u8]) -> Option<Self> {
        let buckets = varint::take(bytes)?;
        let mut counts = BTreeMap::new();
        let mut bucket = 0_u16;
        for _ in 0..buckets {
            bucket = bucket.checked_add(u16::try_from(varint::take(bytes)?).ok()?).filter(|bucket| *bucket <= LAST)?;
            counts.insert(bucket, varint::take(bytes)?);
        }
        Some(Self { counts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::crypto::random_below;

    fn sketch(values: &[i32]) -> Sketch {
        let mut sketch = Sketch::default();
        for value in values {
            sketch.add(*value);
        }
        sketch
    }

    /// Durations as they come: most around 50 ms, some a hundred times slower.
    fn random_values(count: usize) -> Vec<i32> {
        (0..count)
            .map(|_| {
                let slow = if random_below(20) == 0 { 100 } else { 1 };
                i32::try_from(200 + random_below(100_000) * slow).unwrap()
            })
            .collect()
    }

    #[test]
    fn buckets_end_where_the_range_does() {
        assert_eq!((bucket(FASTEST), bucket(SLOWEST)), (0, LAST));
        assert_eq!((bucket(-5), bucket(0), bucket(i32::MAX)), (0, 0, LAST));
        assert!(Sketch::default().quantile(0.5).is_none());
        for us in [101, 999, 50_000, 1_234_567, 119_999_999] {
            let error = (f64::from(value(bucket(us))) / f64::from(us) - 1.0).abs();
            assert!(error < 0.026, "{us}: {error}");
        }
    }

    #[test]
    fn any_quantile_is_near_the_true_one() {
        for _ in 0..50 {
            let mut values = random_values(1 + random_below(2000));
            let sketch = sketch(&values);
            values.sort_unstable();
            for q in [0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 1.0] {
                let place = usize::try_from(rank(q, values.len() as u64)).unwrap();
                let (true_one, told) = (f64::from(values[place - 1]), f64::from(sketch.quantile(q).unwrap()));
                assert!((told / true_one - 1.0).abs() < 0.026, "{q} of {}: {told} for {true_one}", values.len());
            }
        }
    }

    #[test]
    fn merging_in_any_order_is_one_sketch_of_all_values() {
        for _ in 0..50 {
            let values = random_values(3 + random_below(500));
            let (one, two) = (random_below(values.len()), random_below(values.len()));
            let (first, second) = (one.min(two), one.max(two));
            let parts = [&values[..first], &values[first..second], &values[second..]].map(sketch);
            let merged = |order: [usize; 3]| {
                let mut all = Sketch::default();
                for part in order {
                    all.merge(&parts[part]);
                }
                all
            };
            let whole = sketch(&values);
            assert_eq!(merged([0, 1, 2]), whole);
            assert_eq!(merged([2, 0, 1]), whole);
        }
    }

    #[test]
    fn bytes_come_back_and_strange_ones_are_refused() {
        for count in [0, 1, 60, 3000] {
            let sketch = sketch(&random_values(count));
            let bytes = sketch.write();
            assert_eq!(Sketch::read(&bytes), Ok(sketch));
            assert_eq!(Sketch::read(&[bytes.as_slice(), &[0]].concat()), Err(BadSketch));
            assert!(bytes.len() < 1000, "{}", bytes.len());
        }
        assert_eq!(Sketch::read(&[]), Ok(Sketch::default()));
        assert_eq!(Sketch::read(&[2, 0]), Err(BadSketch));
        assert_eq!(Sketch::read(&[1]), Err(BadSketch));
        assert_eq!(Sketch::read(&[1, 1, 0x99, 0x02, 1]), Err(BadSketch), "bucket 281");
        assert_eq!(Sketch::read(&[1, 1, 0xff]), Err(BadSketch));
    }
}
