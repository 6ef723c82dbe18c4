//! Reading order by position, for pages whose content stream has none.

use super::layout::Fragment;

/// Maximum bands to search for columns together.
const MAX_BANDS: usize = 80;

pub(super) fn by_place(fragments: &[Fragment]) -> Vec<Fragment> {
    let mut angles: Vec<i16> = fragments.iter().map(|f| f.angle).collect();
    angles.sort_unstable_by_key(|angle| (*angle != 0, *angle));
    angles.dedup();
    let mut out = Vec::with_capacity(fragments.len());
    for angle in angles {
        let level = fragments.iter().filter(|f| f.angle == angle).cloned().collect();
        out.extend(cut(level));
    }
    out
}

/// Adjacent columns of body text are read one after the other, everything else line by line.
fn cut(fragments: Vec<Fragment>) -> Vec<Fragment> {
    let bands = bands(fragments);
    let mut out = Vec::new();
    let mut start = 0;
    while start < bands.len() {
        let last = bands.len().min(start + MAX_BANDS);
        let found = (start + 1..=last).rev().find_map(|end| {
            let joined: Vec<Fragment> = bands[start..end].iter().flatten().cloned().collect();
            columns(&joined).map(|columns| (end, columns))
        });
        if let Some((end, (left, right))) = found {
            out.extend(cut(left));
            out.extend(cut(right));
            start = end;
        } else {
            out.extend(bands[start].iter().cloned());
            start += 1;
        }
    }
    out
}

/// Lines from top to bottom, each left to right; overlapping fragments form a line.
fn bands(mut fragments: Vec<Fragment>) -> Vec<Vec<Fragment>> {
    fragments.sort_by(|a, b| b.y.total_cmp(&a.y));
    let mut bands: Vec<Vec<Fragment>> = Vec::new();
    for fragment in fragments {
        match bands.last_mut() {
            Some(band) if band[0].same_line(fragment.y) => band.push(fragment),
            _ => bands.push(vec![fragment]),
        }
    }
    for band in &mut bands {
        band.sort_by(|a, b| a.left.total_cmp(&b.left));
    }
    bands
}

/// Splits the fragments at a vertical gap with body text on both sides.
fn columns(fragments: &[Fragment]) -> Option<(Vec<Fragment>, Vec<Fragment>)> {
    if fragments.len() < 6 {
        return None;
    }
    let mut spans: Vec<(f32, f32, f32)> = fragments.iter().map(|f| (f.left, f.right, f.size)).collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut reach = spans[0].1;
    for (left, right, size) in spans {
        if left > reach + 0.8 * size {
            let (a, b): (Vec<_>, Vec<_>) = fragments.iter().cloned().partition(|f| f.right <= reach + 0.1);
            if is_running(&a) && is_running(&b) {
                return Some((a, b));
            }
        }
        reach = reach.max(right);
    }
    None
}

fn is_running(side: &[Fragment]) -> bool {
    let chars: usize = side.iter().map(|f| f.text.chars().count()).sum();
    side.len() >= 3 && chars >= 20 * side.len()
}
