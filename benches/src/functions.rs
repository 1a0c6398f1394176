//! What of the functions is called here itself. The whole library would bring all of the SDK along.

#[expect(unreachable_pub, reason = "it is another crate's")]
#[path = "../../src"]
mod library {
    pub(crate) mod change;
}

pub(crate) use library::change;
