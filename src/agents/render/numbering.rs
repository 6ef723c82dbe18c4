//! Numbers of sources in the order in which an answer names them.

use crate::citations::marks;

/// The marks of `text` that are sources, each once, in the order of their first appearance.
pub fn order(text: &str, known: impl Fn(u32) -> bool) -> Vec<u32> {
    let mut order = Vec::new();
    for number in marks(text, known).into_iter().flat_map(|mark| mark.numbers) {
        if !order.contains(&number) {
            order.push(number);
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_numbered_as_the_text_names_them() {
        let known = |n| n < 4;
        assert_eq!(order("First [2]. Then [1][2], and [3].", known), [2, 1, 3]);
        assert_eq!(order("Nothing [7].", known), Vec::<u32>::new());
    }
}
