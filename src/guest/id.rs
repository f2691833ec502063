//! A guest's name, as everything in hids calls it.

use std::fmt;
use std::sync::Arc;

/// The name under which a guest is known: its folder's name under the LXC path, made unique where two LXC paths hold
/// the same name or a guest is called `host` (`NAME@LXC_PATH`). It is chosen on the host's side, never read from inside
/// a guest.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Arc<str>);

/// How the host itself shows in lists and in `<guest>` conditions.
pub const HOST: &str = "host";

impl Name {
    /// Takes a name as it is.
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl serde::Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}
