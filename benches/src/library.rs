//! What of the library is called here itself. The whole of it would bring all of the SDK along.

#[expect(unreachable_pub, reason = "it is another crate's")]
#[path = "../../src"]
mod source {
    pub(crate) mod change;
}

pub(crate) use source::change;
