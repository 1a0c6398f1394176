//! Which events of a batch share entities. Those are worked on one after the other, so that each change is told once and by the
//! event that happened first; all others at the same time.

use std::collections::{HashMap, hash_map::Entry};

use super::work::Job;
use crate::snapshot::Key;

/// Groups that have no entity in common, each in the order in which its events happened.
pub(super) fn by_entity(jobs: Vec<Job<'_>>) -> Vec<Vec<Job<'_>>> {
    // For each job the group that it belongs to: at first its own.
    let mut group_of: Vec<usize> = (0..jobs.len()).collect();
    let mut first_with: HashMap<Key, usize> = HashMap::new();
    for (index, job) in jobs.iter().enumerate() {
        for key in job.keys() {
            match first_with.entry(key) {
                Entry::Vacant(free) => {
                    free.insert(index);
                }
                Entry::Occupied(taken) => {
                    let (mine, theirs) = (group_of.get(index).copied(), group_of.get(*taken.get()).copied());
                    if let (Some(mine), Some(theirs)) = (mine, theirs) {
                        group_of.iter_mut().filter(|group| **group == mine).for_each(|group| *group = theirs);
                    }
                }
            }
        }
    }
    let mut groups: HashMap<usize, Vec<Job<'_>>> = HashMap::new();
    for (group, job) in group_of.into_iter().zip(jobs) {
        groups.entry(group).or_default().push(job);
    }
    let mut groups: Vec<Vec<Job<'_>>> = groups.into_values().collect();
    for group in &mut groups {
        group.sort_by_key(|job| (job.message.happened_at_ms, job.position));
    }
    groups.sort_by_key(|group| group.first().map(|job| job.position));
    groups
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::{
        enrich::{Incoming, incoming::Opened},
        filter::Filter,
    };

    fn message(created_at_ms: i64, transaction: u32, customer: u32) -> Opened {
        let body = format!(
            r#"{{"eventName":"transactionAdded","orgId":1,"createdAt":{created_at_ms},"data":{{"transactionId":{transaction},"customerIdentifiers":{{"customerId":{customer}}}}}}}"#
        );
        Opened::new(Incoming::default(), body.into_bytes(), 0, &Filter::default(), Instant::now()).ok().unwrap()
    }

    #[test]
    fn events_that_share_an_entity_stay_together_also_over_others() {
        let messages = [message(9, 10, 1), message(8, 20, 2), message(7, 30, 3), message(6, 10, 3), message(5, 40, 4)];
        let jobs = messages.iter().enumerate().map(|(position, message)| Job::new(position, message, 20)).collect();
        let groups: Vec<Vec<usize>> =
            by_entity(jobs).into_iter().map(|group| group.into_iter().map(|job| job.position).collect()).collect();
        assert_eq!(groups, [vec![1], vec![3, 2, 0], vec![4]], "by the time at which they happened");
    }
}
