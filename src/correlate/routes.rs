//! Which plan an event follows, remembered by its program's name.

use crate::decode::Category;
use crate::rules::RuleSet;
use crate::rules::plan::Plan;
use std::collections::HashMap;
use std::sync::Arc;

/// Routes that are remembered; then all are forgotten, since whoever writes the log invents programs' names.
const ROUTES: usize = 512;

/// Category, decoder's id, and where the plan stands.
type Route = (Category, Option<u16>, u32);

/// The plans of one judge.
#[derive(Debug, Default)]
pub(super) struct Routes {
    programs: HashMap<Box<[u8]>, Vec<Route>>,
    /// Of events without a program.
    bare: Vec<Route>,
    plans: Vec<Arc<Plan>>,
    pub whole_tree: bool,
}

impl Routes {
    /// The plan of an event.
    pub(super) fn to(
        &mut self,
        rules: &RuleSet,
        category: Category,
        decoder: Option<u16>,
        program: Option<&[u8]>,
    ) -> &Plan {
        let routes = match program {
            None => Some(&self.bare),
            Some(program) => self.programs.get(program),
        };
        let same = |route: &&Route| route.0 == category && route.1 == decoder;
        let known = routes.and_then(|routes| routes.iter().find(same)).map(|route| route.2);
        let at = known.unwrap_or_else(|| self.discover(rules, category, decoder, program));
        &self.plans[at as usize]
    }

    fn discover(&mut self, rules: &RuleSet, category: Category, decoder: Option<u16>, program: Option<&[u8]>) -> u32 {
        if self.plans.len() >= ROUTES {
            self.clear();
        }
        let at = self.plans.len() as u32;
        self.plans.push(rules.plan(category, decoder, program));
        let routes = match program {
            None => &mut self.bare,
            Some(program) => self.programs.entry(program.into()).or_default(),
        };
        routes.push((category, decoder, at));
        at
    }

    /// Forgets all plans.
    pub(super) fn clear(&mut self) {
        self.programs.clear();
        self.bare.clear();
        self.plans.clear();
    }
}
