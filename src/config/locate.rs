//! Whose file a location names: the host's own, or one inside a guest.
//!
//! A plain `<localfile>` whose location runs through `LXC_PATH/NAME/rootfs/` belongs to guest NAME, globs included
//! (design 2.2): the rest of the location is the guest's own path and is reached through the guest's root only.

/// A location, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file of the host.
    Host(String),
    /// A file inside the guests whose folder name matches a glob, below one LXC path.
    Guest {
        /// The LXC path that the location runs through.
        lxc_path: String,
        /// Glob on the guest's folder name.
        name: String,
        /// The guest's own path, a glob.
        path: String,
    },
}

/// Takes a location apart.
pub fn place(location: &str, lxc_paths: &[String]) -> Place {
    for lxc_path in lxc_paths {
        let lxc_path = lxc_path.trim_end_matches('/');
        if let Some(below) = location.strip_prefix(lxc_path).and_then(|rest| rest.strip_prefix('/'))
            && let Some((name, rest)) = below.trim_start_matches('/').split_once('/')
            && let Some(path) = rest.trim_start_matches('/').strip_prefix("rootfs/")
        {
            let path = format!("/{}", path.trim_start_matches('/'));
            return Place::Guest { lxc_path: lxc_path.to_owned(), name: name.to_owned(), path };
        }
    }
    Place::Host(location.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest(name: &str, path: &str) -> Place {
        Place::Guest { lxc_path: "/var/lib/lxc".into(), name: name.into(), path: path.into() }
    }

    #[test]
    fn the_seeds_locations() {
        let paths = ["/srv/lxc/".to_owned(), "/var/lib/lxc/".to_owned()];
        assert_eq!(place("/var/lib/lxc/*/rootfs/var/log/secure", &paths), guest("*", "/var/log/secure"));
        assert_eq!(
            place("/var/lib/lxc/11-nginx/rootfs/var/log/nginx/*access.log", &paths),
            guest("11-nginx", "/var/log/nginx/*access.log")
        );
        assert_eq!(place("/var/log/secure", &paths), Place::Host("/var/log/secure".into()));
        assert_eq!(place("/var/lib/lxc/a/config", &paths), Place::Host("/var/lib/lxc/a/config".into()));
        assert_eq!(place("/var/lib/lxcfs/a/rootfs/x", &paths), Place::Host("/var/lib/lxcfs/a/rootfs/x".into()));
    }
}
