//! Actors: everybody, and every kind of dataset. What each may do with each is tried in `actions`, and written to
//! `actors.txt`, which a reviewer can read.

use crate::actions::{COLUMNS, asked_before, for_actor, try_all};
use crate::limits::Kind;
use crate::rows::{Side, files};
use crate::support::{account, code, health, statistics, text};
use crate::worlds::{batch, definition_of, rejected, write};
use basin_catalog::{
    Catalog, Change, DatasetName, DatasetVersion, DeliveredFile, Delivery, DeliveryId, Grant, GrantId,
    Grantee, Node, NodeKind, OpenType, Organisation, OrganisationCode, Principal, Publication, Role,
    RowFilter, Sandbox, SliceKey, Store,
};
use basin_engine::{Engine, EngineConfig};
use chrono::{DateTime, Duration, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Set it to write the table anew.
const RENEW: &str = "BASIN_WRITE_ACTORS";

/// A user that the catalog does not have.
const GONE: &str = "gone";

/// A dataset, how it is limited, and whether it is open to everybody.
pub(crate) const DATASETS: [(&str, Kind, bool); 11] = [
    ("health.open", Kind::Whole, true),
    ("health.shared", Kind::Whole, false),
    ("health.conditional", Kind::Expired, false),
    ("health.closed", Kind::Closed, false),
    ("health.by_grant", Kind::GrantsOnly, false),
    ("health.of_region", Kind::Region, false),
    ("health.masked", Kind::Null, false),
    ("health.denied", Kind::Deny, false),
    ("health.in_groups", Kind::Cells, false),
    ("sandbox_olga.of_grant", Kind::Whole, false),
    ("sandbox_olga.of_region", Kind::Whole, false),
];

/// Somebody, and what they state.
struct Actor {
    what: &'static str,
    name: &'static str,
    agency: Option<OrganisationCode>,
    roles: &'static [&'static str],
    purpose: Option<&'static str>,
}

fn other() -> OrganisationCode {
    code("11100000000015058")
}

fn actors() -> Vec<Actor> {
    let actor = |what, name, agency, roles, purpose| Actor { what, name, agency, roles, purpose };
    let agency = || Some(statistics());
    vec![
        actor("administrator", "root", None, &["admin"], None),
        actor("administrator of another agency", "ruth", agency(), &["admin"], None),
        actor("user of the provider", "pat", Some(health()), &[], None),
        actor("user of an agency with a region", "ann", agency(), &[], None),
        actor("user of an agency without region", "abe", Some(other()), &[], None),
        actor("user without agency", "bob", None, &[], None),
        actor("grantee", "gil", agency(), &[], None),
        actor("grantee by role", "ria", None, &["analyst"], None),
        actor("grantee by agency", "ada", Some(other()), &["sandbox"], None),
        actor("grantee of some rows", "flo", agency(), &[], None),
        actor("grantee of some items", "ian", agency(), &[], None),
        actor("grantee without masks", "uma", agency(), &[], None),
        actor("grantee of exact figures, purpose stated", "eve", agency(), &[], Some("outbreak")),
        actor("grantee of exact figures, no purpose stated", "eve", agency(), &[], None),
        actor("grantee of exact figures, another purpose stated", "eve", agency(), &[], Some("curiosity")),
        actor("grantee whose grants are over", "old", agency(), &[], None),
        actor("grantee whose grants begin tomorrow", "new", agency(), &[], None),
        actor("owner of a sandbox", "olga", agency(), &["sandbox"], None),
        actor("owner of a sandbox whose grant is over", "olaf", agency(), &["sandbox"], None),
        actor("user who was removed, whose session goes on", GONE, agency(), &[], None),
        actor("user with a role that nothing is granted to", "zoe", None, &["idle"], None),
    ]
}

fn grants() -> Vec<Change> {
    let now = Utc::now();
    let user = |name: &str| Grantee::User(name.parse().unwrap());
    let grant = |to, dataset: &str| Grant {
        id: GrantId::fresh(),
        to,
        dataset: dataset.parse().unwrap(),
        purpose: None,
        not_before: now - Duration::days(9),
        not_after: None,
        basis: "an agreement".to_owned(),
        items: None,
        rows: None,
        unmasked: BTreeSet::new(),
        exact: false,
    };
    let items =
        |names: &[&str]| Some(names.iter().map(|name| name.parse().unwrap()).collect::<BTreeSet<_>>());
    let mut all = Vec::new();
    // A grant on what is closed is of no avail.
    for dataset in ["health.conditional", "health.by_grant", "health.closed"] {
        for to in [
            user("gil"),
            Grantee::Role("analyst".parse().unwrap()),
            user("uma"),
            user("olga"),
            Grantee::Agency(other()),
        ] {
            all.push(grant(to, dataset));
        }
        let rows = Some(RowFilter::try_from("sex = 'f'".to_owned()).unwrap());
        all.push(Grant { rows, ..grant(user("flo"), dataset) });
        all.push(Grant { items: items(&["id", "province", "sex"]), ..grant(user("ian"), dataset) });
        for name in ["old", "olaf"] {
            all.push(Grant { not_after: Some(now - Duration::days(1)), ..grant(user(name), dataset) });
        }
        all.push(Grant { not_before: now + Duration::days(1), ..grant(user("new"), dataset) });
    }
    for dataset in ["health.masked", "health.denied"] {
        all.push(Grant {
            unmasked: items(&["name", "day", "income"]).unwrap(),
            ..grant(user("uma"), dataset)
        });
    }
    all.push(Grant {
        exact: true,
        purpose: Some("outbreak".to_owned()),
        ..grant(user("eve"), "health.in_groups")
    });
    all.push(Grant { purpose: Some("outbreak".to_owned()), ..grant(user("eve"), "health.conditional") });
    all.into_iter().map(Change::PutGrant).collect()
}

fn moment() -> DateTime<Utc> {
    DateTime::from_timestamp(1_600_000_000, 0).unwrap()
}

fn delivery() -> Delivery {
    let digest = || "0".repeat(64).parse().unwrap();
    Delivery {
        id: DeliveryId::fresh(),
        digest: digest(),
        provider: health(),
        kind: "daily".to_owned(),
        received_at: moment(),
        files: vec![DeliveredFile {
            name: "a.csv".to_owned(),
            bytes: 9,
            sha256: digest(),
            rows_in: 26,
            rows_accepted: 24,
            rows_rejected: 2,
        }],
        slices: vec![SliceKey(vec![])],
        rows_in: 26,
        rows_accepted: 24,
        rows_rejected: 2,
        rejected_by_rule: BTreeMap::new(),
        numbered_keys: 0,
    }
}

async fn publish(store: &Store, dataset: &str, kind: Kind) -> Change {
    let name: DatasetName = dataset.parse().unwrap();
    // Their rows are hidden as a whole, or shown as a whole.
    let kind = if kind.is_visible() { kind } else { Kind::Whole };
    let batches: Vec<_> = files(kind, "data", Side::World).iter().map(|rows| batch(rows)).collect();
    write(store, &store.data_path(&name), &batches).await;
    write(store, &store.rejects_path(&name), &[rejected(Side::World)]).await;
    let delivery = delivery();
    let version = DatasetVersion {
        number: 1,
        table_version: 0,
        rejects_version: Some(0),
        rows: batches.iter().map(|batch| batch.num_rows() as u64).sum(),
        bytes: 1000,
        files: 3,
        published_at: moment(),
        delivery: Some(delivery.id.clone()),
        definition_revision: 1,
        distinct: BTreeMap::new(),
    };
    Change::Publish(Box::new(Publication {
        dataset: name,
        base_version: 0,
        version,
        delivery: Some(delivery),
    }))
}

/// An engine over all datasets, with all users and grants.
async fn world() -> Engine {
    let store = Store::open("memory://").unwrap();
    let node = Node { id: "hub".parse().unwrap(), kind: NodeKind::Hub, name: text("hub"), region: None };
    let catalog = Catalog::create(store.clone(), node).await.unwrap();
    let organisation = |code, region: Option<&str>| {
        let region = region.map(|region| region.parse().unwrap());
        Change::PutOrganisation(Organisation { code, name: text("an agency"), region, node: None })
    };
    let mut changes = vec![
        organisation(health(), None),
        organisation(statistics(), Some("330000")),
        organisation(other(), None),
    ];
    for name in ["sandbox", "analyst", "idle"] {
        changes.push(Change::PutRole(Role { name: name.parse().unwrap(), description: "a role".to_owned() }));
    }
    for actor in actors().into_iter().filter(|actor| actor.name != GONE) {
        changes.push(Change::PutUser(account(actor.name, actor.agency, actor.roles)));
    }
    for ((dataset, kind, open), sequence) in DATASETS.into_iter().zip(1..) {
        let mut definition = definition_of(kind, dataset, sequence);
        if !open && definition.entry.open_type == OpenType::Open {
            definition.entry.open_type = OpenType::Conditional;
        }
        // The unit is a key, so that there are constraints to be seen.
        definition.layout.key = vec!["id".parse().unwrap()];
        if let Some(of) = dataset.strip_prefix("sandbox_olga.of_") {
            let from = if of == "grant" { "health.conditional" } else { "health.of_region" };
            definition.sandbox = Some(Sandbox {
                owner: "olga".parse().unwrap(),
                derived_from: BTreeSet::from([from.parse().unwrap()]),
                under: BTreeMap::new(),
            });
        }
        changes.push(Change::ApplyDataset(Box::new(definition)));
        changes.extend(kind.policy(&dataset.parse().unwrap()));
    }
    changes.extend(grants());
    for (dataset, kind, _) in DATASETS {
        changes.push(publish(&store, dataset, kind).await);
    }
    let base = catalog.latest().await.unwrap();
    catalog.commit(&base, "test", changes).await.unwrap();
    Engine::new(catalog, EngineConfig { target_partitions: 1, ..EngineConfig::default() }).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_may_do_what_the_table_says() {
    let engine = world().await;
    let mut table = String::from(include_str!("actors.head.txt"));
    asked_before(&engine).await;
    for actor in actors() {
        let roles: Vec<_> = actor.roles.to_vec();
        let principal =
            Principal::of(&account(actor.name, actor.agency, &roles), actor.purpose.map(ToOwned::to_owned));
        write!(table, "\n{}\n{:<23}", actor.what.to_uppercase(), "").unwrap();
        for column in COLUMNS {
            write!(table, "{column:>8}").unwrap();
        }
        table.push('\n');
        for (dataset, _, _) in DATASETS {
            write!(table, "{dataset:<23}").unwrap();
            for outcome in try_all(&engine, &principal, dataset).await {
                write!(table, "{outcome:>8}").unwrap();
            }
            table.push('\n');
        }
        writeln!(table, "{}", for_actor(&engine, &principal).await).unwrap();
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/actors.txt");
    if std::env::var_os(RENEW).is_some() {
        std::fs::write(path, &table).unwrap();
    }
    let known = std::fs::read_to_string(path).unwrap_or_default();
    for (number, (now, known)) in table.lines().zip(known.lines()).enumerate() {
        assert_eq!(now, known, "actors.txt, line {}: if it is meant, run again with {RENEW}=1", number + 1);
    }
    assert_eq!(
        table.lines().count(),
        known.lines().count(),
        "actors.txt has other lines: run again with {RENEW}=1"
    );
}
