//! Routes: their names, plugins and conflicts.

use std::collections::{HashMap, HashSet};

use super::{Spot, actions, matching, plugins::Uses, services::Services};
use crate::{
    config::{
        Action, Route,
        file::{File, RouteFile},
        units,
    },
    router::{Match, Router},
};

pub(super) fn check(
    spot: &Spot<'_>,
    file: &File,
    uses: &mut Uses<'_>,
    services: &mut Services<'_>,
) -> Vec<Route> {
    let mut routes = Vec::new();
    for (spot, route) in spot.elements(file.routes.as_ref()) {
        if let Some(route) = check_one(&spot, file, route, uses, services) {
            routes.push(route);
        }
    }
    check_names(spot, file);
    name_the_unnamed(&mut routes, file);
    check_conflicts(spot, &routes);
    routes
}

/// The route with its name still empty if the file has none for it.
fn check_one(
    spot: &Spot<'_>,
    file: &File,
    route: &RouteFile,
    uses: &mut Uses<'_>,
    services: &mut Services<'_>,
) -> Option<Route> {
    // A use that stands in the route only has rate limits of its own; the name is the route's
    // where it has one.
    let path = route.r#match.as_ref().and_then(|matching| matching.path.as_deref());
    let scope = route.name.as_deref().or(path).unwrap_or_default();
    let plugins = spot.key("plugins");
    let plugins = plugins
        .elements(route.plugins.as_ref())
        .filter_map(|(spot, use_)| uses.check_use(&spot, use_, scope))
        .collect();
    let timeout = route.timeout.as_ref();
    let timeout = timeout.and_then(|text| spot.key("timeout").keep(units::duration(&text.0)));
    let matching = route.r#match.as_ref();
    let matching = matching.and_then(|matching| matching::check(&spot.key("match"), matching));
    let names = matching.as_ref().map(|matching| matching.path.names());
    let action = actions::check(spot, route, names, file, services);
    Some(Route {
        name: route.name.clone().unwrap_or_default(),
        matching: matching?,
        plugins,
        // A route whose end has faults still takes part in the search for conflicts.
        action: action.unwrap_or(Action::Nothing),
        timeout,
        at: spot.at.clone(),
    })
}

fn check_names(spot: &Spot<'_>, file: &File) {
    let mut seen = HashMap::new();
    for (spot, route) in spot.elements(file.routes.as_ref()) {
        let Some(name) = &route.name else { continue };
        if name.chars().any(char::is_control) {
            spot.key("name").fault("must not have control characters");
        }
        if let Some(first) = seen.insert(name, spot.at.clone()) {
            let first = spot.faults.named_place(&first);
            spot.key("name").fault(format!("is already the name of {first}"));
        }
    }
}

/// The path, with methods and hosts before it where several routes have that path.
fn name_the_unnamed(routes: &mut [Route], file: &File) {
    let given = file.routes.iter().flatten().flatten().filter_map(|route| route.name.clone());
    let mut taken: HashSet<String> = given.collect();
    let mut paths: HashMap<String, usize> = HashMap::new();
    for route in routes.iter() {
        *paths.entry(route.matching.path.to_string()).or_default() += 1;
    }
    for route in routes.iter_mut().filter(|route| route.name.is_empty()) {
        let path = route.matching.path.to_string();
        let is_shared = paths.get(&path).is_some_and(|count| *count > 1);
        let mut name = if is_shared { describe(&route.matching) } else { path };
        if taken.contains(&name) {
            name = format!("{name} {}", route.at);
        }
        taken.insert(name.clone());
        route.name = name;
    }
}

/// `GET,PUT api.example.com/orders/{id}`
fn describe(matching: &Match) -> String {
    let methods: Vec<&str> = matching.methods.iter().map(http::Method::as_str).collect();
    let hosts: Vec<String> = matching.hosts.iter().map(ToString::to_string).collect();
    let space = if methods.is_empty() { "" } else { " " };
    format!("{}{space}{}{}", methods.join(","), hosts.join(","), matching.path)
}

fn check_conflicts(spot: &Spot<'_>, routes: &[Route]) {
    let matches = routes.iter().map(|route| (route.matching.clone(), ())).collect();
    let Err(conflicts) = Router::new(matches) else { return };
    for conflict in conflicts {
        let (first, second) = (&routes[conflict.first], &routes[conflict.second]);
        let message = format!(
            "matches the same requests as {}, and neither is more specific; give one of them another path, method, host or condition",
            spot.faults.named_place(&first.at)
        );
        spot.faults.push(&second.at.key("match").key("path"), message);
    }
}
