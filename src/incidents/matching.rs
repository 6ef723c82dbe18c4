//! Which rules are for an incident. Pure.

use super::model::{Cause, CauseSource, Matches, Rule, Severity};
use uptime::MonitorId;

/// The first rule that matches, and the next ones for as long as each says to proceed.
pub fn rules_for<'r>(rules: &'r [Rule], severity: Severity, causes: &[Cause]) -> Vec<&'r Rule> {
    let mut found = Vec::new();
    for rule in rules.iter().filter(|rule| !rule.disabled && is_for(&rule.matches, severity, causes)) {
        found.push(rule);
        if !rule.proceed {
            break;
        }
    }
    found
}

/// Whether any of the causes is meant; an incident that a person opened has none, and only severities count for it.
pub fn is_for(matches: &Matches, severity: Severity, causes: &[Cause]) -> bool {
    if !matches.severities.is_empty() && !matches.severities.contains(&severity) {
        return false;
    }
    let asks = !(matches.sources.is_empty()
        && matches.groups.is_empty()
        && matches.monitors.is_empty()
        && matches.tags.is_empty());
    if causes.is_empty() {
        return !asks;
    }
    causes.iter().any(|cause| is_cause_for(matches, cause))
}

fn is_cause_for(matches: &Matches, cause: &Cause) -> bool {
    let Matches { groups, monitors, tags, sources, severities: _ } = matches;
    let is_of_source = if sources.is_empty() {
        // What ends soon is told where a rule says so.
        cause.source != CauseSource::Ending
    } else {
        sources.contains(&cause.source)
    };
    is_of_source
        && (groups.is_empty() || cause.traits.group.is_some_and(|group| groups.contains(&group)))
        && (monitors.is_empty() || monitors.contains(&MonitorId(cause.subject)))
        && (tags.is_empty() || cause.traits.tags.iter().any(|tag| tags.contains(tag)))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;
    use crate::model::{RuleId, Traits};

    fn rule(name: &str, matches: Matches, proceed: bool) -> Rule {
        Rule {
            name: name.into(),
            matches,
            proceed,
            ..Rule::blank(RuleId(Uuid::nil()), false, name, DateTime::UNIX_EPOCH)
        }
    }

    fn cause(tag: &str) -> Cause {
        Cause {
            source: CauseSource::Monitor,
            reference: Uuid::nil(),
            subject: Uuid::from_u128(7),
            name: "Shop".into(),
            traits: Traits { tags: vec![tag.into()], ..Traits::default() },
            opened_at: DateTime::UNIX_EPOCH,
            closed_at: None,
        }
    }

    fn names(rules: &[Rule], causes: &[Cause]) -> Vec<String> {
        rules_for(rules, Severity::Critical, causes).into_iter().map(|rule| rule.key.clone()).collect()
    }

    #[test]
    fn the_first_that_matches_is_taken_and_further_ones_if_it_says_so() {
        let tagged = Matches { tags: vec!["eu".into()], ..Matches::default() };
        let rules =
            [rule("eu", tagged.clone(), true), rule("all", Matches::default(), false), rule("never", tagged, false)];
        assert_eq!(names(&rules, &[cause("eu")]), ["eu", "all"]);
        assert_eq!(names(&rules, &[cause("us")]), ["all"]);
        assert_eq!(names(&rules, &[cause("us"), cause("eu")]), ["eu", "all"], "one of them is enough");
        assert_eq!(names(&rules, &[]), ["all"]);
        let off = [Rule { disabled: true, ..rules[0].clone() }, rules[1].clone()];
        assert_eq!(names(&off, &[cause("eu")]), ["all"]);
    }

    #[test]
    fn each_list_must_have_it() {
        let monitor =
            |number: u128| Matches { monitors: vec![MonitorId(Uuid::from_u128(number))], ..Matches::default() };
        assert!(
            is_for(&monitor(7), Severity::Info, &[cause("x")]) && !is_for(&monitor(8), Severity::Info, &[cause("x")])
        );
        let critical = Matches { severities: vec![Severity::Critical], ..monitor(7) };
        assert!(
            is_for(&critical, Severity::Critical, &[cause("x")]) && !is_for(&critical, Severity::Info, &[cause("x")])
        );
        let alerts = Matches { sources: vec![CauseSource::Alert], ..Matches::default() };
        assert!(!is_for(&alerts, Severity::Critical, &[cause("x")]));
    }

    #[test]
    fn what_ends_is_told_where_a_rule_says_so() {
        let ends = Cause { source: CauseSource::Ending, ..cause("eu") };
        assert!(!is_for(&Matches::default(), Severity::Warning, std::slice::from_ref(&ends)));
        let named = Matches { sources: vec![CauseSource::Monitor, CauseSource::Ending], ..Matches::default() };
        assert!(is_for(&named, Severity::Warning, &[ends]) && is_for(&named, Severity::Warning, &[cause("eu")]));
    }
}
