//! The state against a model server: every transition, a cut at every frame, and every interleaving that chance finds.

mod chance;
mod connection;
mod cuts;
mod server;
mod subscriptions;
mod world;

use self::server::Query;
use self::world::World;
use crate::options::Options;

const ALL: Query = Query { min: i64::MIN, opaque: false };
const LARGE: Query = Query { min: 10, opaque: false };
const OPAQUE: Query = Query { min: 5, opaque: true };

/// A world with a few rows and pages of two.
fn world() -> World {
    world_with(Options::default())
}

fn world_with(options: Options) -> World {
    let mut world = World::new(options, 2);
    world.server.commit(&[(1, Some(3)), (2, Some(12)), (3, Some(30))]);
    world.server.commit(&[(4, Some(7)), (5, Some(11))]);
    world
}
