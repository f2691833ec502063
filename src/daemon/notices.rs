//! What responses want people to know becomes an alert of hids's own, and a line for the service's log.

use crate::alert::{self, Own};
use crate::guest;
use crate::respond::{Notice, Tell, Topic};
use std::sync::Arc;

/// Where notices go.
pub fn tell(alerts: alert::Handle) -> Tell {
    Arc::new(move |notice: Notice| {
        tracing::warn!("{}", notice.text);
        let own = match notice.topic {
            Topic::Limit => Own::BlockHeldBack,
            Topic::GatewayDown => Own::GatewayDown,
            Topic::GatewayUp => Own::GatewayUp,
            Topic::GatewayOdd | Topic::Spared | Topic::Ledger | Topic::Log | Topic::Bug => return,
        };
        let guest = notice.guest.as_deref().filter(|name| *name != guest::id::HOST).map(guest::Name::new);
        alerts.tell(guest.as_ref(), own.facts(), &notice.text);
    })
}
