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

/// Takes a location apart. The upper layer of an overlay (`LXC_PATH/NAME/delta0`) is the guest's to write as much as
/// `rootfs` is, and so is whatever a glob in that place may match: read as a file of the host's, a link in it would lead
/// to the host's own files.
pub fn place(location: &str, lxc_paths: &[String]) -> Place {
    if !location.starts_with('/') {
        return Place::Host(location.to_owned());
    }
    let parts = plain(location);
    for lxc_path in lxc_paths {
        let above = plain(lxc_path);
        if let Some([name, layer, path @ ..]) = parts.strip_prefix(above.as_slice())
            && !path.is_empty()
            && (*layer == "rootfs" || layer.starts_with("delta") || layer.contains(['*', '?', '[']))
        {
            let lxc_path = lxc_path.trim_end_matches('/').to_owned();
            return Place::Guest { lxc_path, name: (*name).to_owned(), path: format!("/{}", path.join("/")) };
        }
    }
    Place::Host(location.to_owned())
}

/// The components of a path, without those that say nothing.
fn plain(path: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts
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

    #[test]
    fn no_spelling_makes_a_guests_file_the_hosts() {
        let paths = ["/var/lib/lxc".to_owned()];
        for location in [
            "/var/lib/lxc/web/rootfs/var/log/auth.log",
            "/var/lib/lxc/./web//rootfs/var/log/auth.log",
            "/var/lib/../lib/lxc/web/x/../rootfs/var/log/auth.log",
            "/var/lib/lxc/web/delta0/var/log/auth.log",
            "/var/lib/lxc/web/root*/var/log/auth.log",
            "/var/lib/lxc/web/*/var/log/auth.log",
        ] {
            assert_eq!(place(location, &paths), guest("web", "/var/log/auth.log"), "{location}");
        }
        assert_eq!(place("/var/lib/lxc/web/web.log", &paths), Place::Host("/var/lib/lxc/web/web.log".into()));
        assert_eq!(place("/var/lib/lxc/*/*.log", &paths), Place::Host("/var/lib/lxc/*/*.log".into()));
        assert_eq!(place("var/lib/lxc/web/rootfs/x", &paths), Place::Host("var/lib/lxc/web/rootfs/x".into()));
    }
}
