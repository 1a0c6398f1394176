//! What changed between two states of an entity: a pure function over two JSON values.
//!
//! Changes are told as RFC 6902 operations with the value before and after. Order is no change: members of objects have none,
//! and objects in arrays are matched by what identifies them, not by their place.

mod identity;

use std::{collections::HashSet, fmt};

use serde::Serialize;
use serde_json::Value;

use identity::{decimal, pairs};

/// One difference.
#[derive(Clone, PartialEq, Serialize)]
pub struct Change {
    /// What happened there.
    pub op: Op,
    /// Where, as a JSON Pointer (RFC 6901). An index is that of the state before; for an addition the last one is that of the state after.
    pub path: String,
    /// The value before; none for an addition. `null` is a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The value after; none for a removal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// Without the values: they are somebody's data.
impl fmt::Debug for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} {}", self.op, self.path)
    }
}

/// The operations of RFC 6902 that occur here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// Something is there that was not.
    Add,
    /// Something is gone.
    Remove,
    /// Something is another.
    Replace,
}

/// Fields that change by themselves: they are kept in a state, but are no change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Volatile(Vec<Vec<String>>);

impl Volatile {
    /// From names separated by commas. A name stands for a member anywhere (`autoUpdateTime`), or below another one
    /// (`attribution/modifiedDate`).
    pub fn parse(names: &str) -> Self {
        let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
        Self(names.map(|name| name.split('/').map(str::to_owned).collect()).collect())
    }

    fn holds(&self, path: &[Token<'_>], name: &str) -> bool {
        self.0.iter().any(|pattern| {
            let mut members = path.iter().rev().filter_map(Token::member);
            pattern
                .iter()
                .rev()
                .enumerate()
                .all(|(depth, wanted)| if depth == 0 { wanted == name } else { members.next() == Some(wanted) })
        })
    }
}

/// A step of a path.
#[derive(Debug, Clone, Copy)]
enum Token<'a> {
    Member(&'a str),
    Index(usize),
}

impl<'a> Token<'a> {
    fn member(&self) -> Option<&'a str> {
        match self {
            Self::Member(name) => Some(name),
            Self::Index(_) => None,
        }
    }
}

/// What came of a comparison.
#[derive(Clone, PartialEq, Default)]
pub struct Difference {
    /// What must be done to the state before to get the state after. Applied in their order, the operations are valid: within an
    /// array first what changes in place, then removals from the end, then additions.
    pub changes: Vec<Change>,
    /// The state after with matched arrays in the order in which those operations leave them, where that is another than the one
    /// it came in. Whoever remembers this one can go on with the next difference's indices.
    pub rearranged: Option<Value>,
}

/// Compares two states of an entity.
pub fn difference(before: &Value, after: &Value, volatile: &Volatile) -> Difference {
    let mut comparison = Comparison { volatile, path: Vec::new(), found: Vec::new(), reordered: false };
    comparison.values(before, after);
    let rearranged = comparison.reordered.then(|| rearranged(before, after));
    Difference { changes: comparison.found, rearranged }
}

struct Comparison<'a> {
    volatile: &'a Volatile,
    path: Vec<Token<'a>>,
    found: Vec<Change>,
    /// Whether elements that are in both states stand in another order.
    reordered: bool,
}

impl<'a> Comparison<'a> {
    fn values(&mut self, before: &'a Value, after: &'a Value) {
        match (before, after) {
            // Most of a state is as it was.
            (before, after) if before == after => {}
            (Value::Object(before), Value::Object(after)) => {
                for (name, old) in before {
                    match after.get(name) {
                        Some(new) => self.member(name, |comparison| comparison.values(old, new)),
                        None => self.member(name, |comparison| comparison.push(Op::Remove, Some(old), None)),
                    }
                }
                for (name, new) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
                    self.member(name, |comparison| comparison.push(Op::Add, None, Some(new)));
                }
            }
            (Value::Array(before), Value::Array(after)) => self.arrays(before, after),
            (before, after) if same_scalar(before, after) => {}
            (before, after) => self.push(Op::Replace, Some(before), Some(after)),
        }
    }

    fn arrays(&mut self, before: &'a [Value], after: &'a [Value]) {
        let pairs = pairs(before, after);
        for (old, new) in &pairs {
            if let (Some(old_value), Some(new_value)) = (before.get(*old), after.get(*new)) {
                self.element(*old, |comparison| comparison.values(old_value, new_value));
            }
        }
        self.reordered |= !pairs.is_sorted_by_key(|(_, new)| *new);
        let (kept, told): (HashSet<usize>, HashSet<usize>) = pairs.into_iter().unzip();
        for (index, old) in before.iter().enumerate().rev().filter(|(index, _)| !kept.contains(index)) {
            self.element(index, |comparison| comparison.push(Op::Remove, Some(old), None));
        }
        for (index, new) in after.iter().enumerate().filter(|(index, _)| !told.contains(index)) {
            self.element(index, |comparison| comparison.push(Op::Add, None, Some(new)));
        }
    }

    fn member(&mut self, name: &'a str, compare: impl FnOnce(&mut Self)) {
        if !self.volatile.holds(&self.path, name) {
            self.step(Token::Member(name), compare);
        }
    }

    fn element(&mut self, index: usize, compare: impl FnOnce(&mut Self)) {
        self.step(Token::Index(index), compare);
    }

    fn step(&mut self, token: Token<'a>, compare: impl FnOnce(&mut Self)) {
        self.path.push(token);
        compare(self);
        self.path.pop();
    }

    fn push(&mut self, op: Op, before: Option<&Value>, after: Option<&Value>) {
        self.found.push(Change { op, path: pointer(&self.path), before: before.cloned(), after: after.cloned() });
    }
}

/// `after`, its arrays in the order in which the operations that lead there from `before` leave them.
fn rearranged(before: &Value, after: &Value) -> Value {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let arranged = |(name, new): (&String, &Value)| {
                (name.clone(), before.get(name).map_or_else(|| new.clone(), |old| rearranged(old, new)))
            };
            Value::Object(after.iter().map(arranged).collect())
        }
        (Value::Array(before), Value::Array(after)) => {
            let pairs = pairs(before, after);
            let told: HashSet<usize> = pairs.iter().map(|(_, new)| *new).collect();
            let mut elements: Vec<Value> =
                pairs.iter().filter_map(|(old, new)| Some(rearranged(before.get(*old)?, after.get(*new)?))).collect();
            for (index, new) in after.iter().enumerate().filter(|(index, _)| !told.contains(index)) {
                elements.insert(index.min(elements.len()), new.clone());
            }
            Value::Array(elements)
        }
        (_, after) => after.clone(),
    }
}

/// Whether two values that are not both objects or both arrays are the same: `1` is `1.0`, but `"1"` is not `1`.
pub(crate) fn same_scalar(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => decimal(&one.to_string()) == decimal(&other.to_string()),
        (one, other) => one == other,
    }
}

/// A member's name as it stands in a JSON Pointer (RFC 6901).
pub(crate) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// RFC 6901.
fn pointer(path: &[Token<'_>]) -> String {
    path.iter()
        .map(|token| match token {
            Token::Member(name) => format!("/{}", escaped(name)),
            Token::Index(index) => format!("/{index}"),
        })
        .collect()
}

#[cfg(test)]
mod tests;
