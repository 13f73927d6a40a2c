//! What names stand for.

use cloudstack_usage::{Holder, ProjectId};
use rating_engine::{Bill, LineItem};
use report_export::{ErrorKind, Filter, View, findings, lines};

use crate::support::{bill, euro, exact, finding, line, statement};

/// Domain path, domain id, project, VM and its name, volume, cost centre.
type Row<'a> = (
    &'a str,
    &'a str,
    &'a str,
    &'a str,
    &'a str,
    &'a str,
    Option<&'a str>,
);

const ROWS: &[Row<'_>] = &[
    ("ROOT/acme", "d-1", "web", "vm-1", "db", "", Some("4711")),
    ("ROOT/acme", "d-1", "web", "vm-1", "db", "vol-1", None),
    (
        "ROOT/acme/dev",
        "d-2",
        "web",
        "vm-2",
        "db",
        "",
        Some("4711"),
    ),
    (
        "ROOT/acme/dev",
        "d-2",
        "lab",
        "vm-3",
        "lab",
        "vol-2",
        Some("4712"),
    ),
    ("ROOT/acmeplus", "d-3", "shop", "vm-4", "shop", "", None),
];

fn sample() -> Bill {
    let make = |(number, row): (usize, &Row<'_>)| -> LineItem {
        let (path, id, project, vm, vm_name, volume, centre) = *row;
        let mut line = line(&number.to_string(), exact(1, 1), euro());
        path.clone_into(&mut line.domain_path);
        line.domain = id.into();
        line.holder = Holder::Project(ProjectId::new(&format!("p-{project}-{id}")));
        project.clone_into(&mut line.holder_name);
        line.vm = Some(vm.into());
        line.vm_name = Some(vm_name.to_owned());
        line.resource = vm.into();
        if !volume.is_empty() {
            line.volume = Some(volume.into());
            line.resource = volume.into();
            line.resource_name = format!("name of {volume}");
        }
        line.cost_centre = centre.map(str::to_owned);
        line
    };
    let all: Vec<LineItem> = ROWS.iter().enumerate().map(make).collect();
    let (plus, acme): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|line| line.domain_path == "ROOT/acmeplus");
    bill(
        vec![
            statement("ROOT/acme", "d-1", acme, euro()),
            statement("ROOT/acmeplus", "d-3", plus, euro()),
        ],
        euro(),
    )
}

fn kept(filter: &Filter) -> Vec<String> {
    let bill = sample();
    let view = View::of_bill(&bill).unwrap().filtered(filter).unwrap();
    view.lines().map(|(_, line)| line.key.clone()).collect()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn domains(of: &[&str]) -> Filter {
    Filter {
        domains: names(of),
        ..Filter::default()
    }
}

#[test]
fn a_domain_is_kept_with_its_sub_domains_unless_told_not_to() {
    for name in ["d-1", "ROOT/acme", "/ROOT/acme/", "acme"] {
        assert_eq!(kept(&domains(&[name])), ["0", "1", "2", "3"], "{name}");
        let exclusive = Filter {
            exclusive: true,
            ..domains(&[name])
        };
        assert_eq!(kept(&exclusive), ["0", "1"], "{name}");
    }
    // an ancestor that has no line of its own
    assert_eq!(kept(&domains(&["ROOT"])), ["0", "1", "2", "3", "4"]);
    assert_eq!(kept(&domains(&["dev", "acmeplus"])), ["2", "3", "4"]);
    assert_eq!(kept(&Filter::default()).len(), 5);
}

#[test]
fn other_things_are_found_by_id_and_name_and_all_lists_count() {
    let vms = |of: &[&str]| Filter {
        vms: names(of),
        ..Filter::default()
    };
    assert_eq!(kept(&vms(&["vm-1"])), ["0", "1"]); // with its volume
    assert_eq!(kept(&vms(&["lab", "vm-2"])), ["2", "3"]);
    let volumes = Filter {
        volumes: names(&["name of vol-1"]),
        ..Filter::default()
    };
    assert_eq!(kept(&volumes), ["1"]);
    let project = Filter {
        projects: names(&["ROOT/acme/dev/web"]),
        ..Filter::default()
    };
    assert_eq!(kept(&project), ["2"]);
    let none = Filter {
        cost_centres: vec![None],
        ..Filter::default()
    };
    assert_eq!(kept(&none), ["1", "4"]);
    let centre = Filter {
        cost_centres: vec![Some("4711".to_owned()), None],
        ..Filter::default()
    };
    assert_eq!(kept(&centre), ["0", "1", "2", "4"]);
    let both = Filter {
        domains: names(&["dev"]),
        ..centre
    };
    assert_eq!(kept(&both), ["2"]);
}

#[test]
fn an_unknown_name_is_an_error_that_lists_what_there_is() {
    let bill = sample();
    let view = View::of_bill(&bill).unwrap();
    let error = view.filtered(&domains(&["Acme"])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownName);
    assert_eq!(
        error.to_string(),
        "the bill has no domain \"Acme\"; there is ROOT, ROOT/acme (d-1), ROOT/acme/dev (d-2), \
         ROOT/acmeplus (d-3)"
    );
    let centre = Filter {
        cost_centres: vec![Some("1".to_owned())],
        ..Filter::default()
    };
    let error = view.filtered(&centre).unwrap_err();
    assert!(error.is_name_error());
    assert!(
        error.to_string().ends_with("there is 4711, 4712"),
        "{error}"
    );
}

#[test]
fn an_error_lists_ten_names_at_most() {
    let many = (0..25).map(|number| {
        let mut line = line(&number.to_string(), exact(1, 1), euro());
        line.vm = Some(format!("vm-{number:02}").as_str().into());
        line.vm_name = Some(format!("name {number:02}"));
        line
    });
    let bill = crate::support::bill_of(many.collect());
    let view = View::of_bill(&bill).unwrap();
    let filter = Filter {
        vms: names(&["nobody"]),
        ..Filter::default()
    };
    let message = view.filtered(&filter).unwrap_err().to_string();
    assert_eq!(message.matches("name ").count(), 10, "{message}");
    assert!(
        message.ends_with("name 09 (vm-09) and 15 more"),
        "{message}"
    );
}

#[test]
fn an_ambiguous_name_is_an_error_that_lists_what_it_may_mean() {
    let bill = sample();
    let view = View::of_bill(&bill).unwrap();
    let vms = Filter {
        vms: names(&["db"]),
        ..Filter::default()
    };
    let error = view.filtered(&vms).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AmbiguousName);
    assert_eq!(
        error.to_string(),
        "VM \"db\" is ambiguous, use an id; there is db (vm-1), db (vm-2)"
    );
    let project = Filter {
        projects: names(&["web"]),
        ..Filter::default()
    };
    let message = view.filtered(&project).unwrap_err().to_string();
    assert!(
        message.contains("ROOT/acme/web (p-web-d-1), ROOT/acme/dev/web (p-web-d-2)")
            || message.contains("ROOT/acme/dev/web (p-web-d-2), ROOT/acme/web (p-web-d-1)"),
        "{message}"
    );
}

#[test]
fn a_statement_knows_its_own_names_alone() {
    let bill = sample();
    for name in ["d-3", "acmeplus", "ROOT/acmeplus"] {
        let view = View::of_statement(&bill, name).unwrap();
        assert_eq!(lines(&view).rows().count(), 1);
        assert_eq!(
            view.filtered(&domains(&["acme"])).unwrap_err().kind(),
            ErrorKind::UnknownName
        );
    }
    assert_eq!(
        View::of_statement(&bill, "dev").unwrap_err().kind(),
        ErrorKind::UnknownName
    );
}

#[test]
fn a_filtered_view_shows_no_finding_of_others() {
    let mut bill = sample();
    bill.findings = vec![
        finding("d-1", "vm-1", None),
        finding("d-1", "vm-gone", None),
        finding("d-3", "vm-4", None),
    ];
    let view = View::of_bill(&bill).unwrap();
    let shown = |filter: &Filter| {
        let view = view.filtered(filter).unwrap();
        findings(&view).unwrap().rows().count()
    };
    assert_eq!(shown(&Filter::default()), 3);
    assert_eq!(shown(&domains(&["acme"])), 2);
    assert_eq!(
        shown(&Filter {
            exclusive: true,
            ..domains(&["acme"])
        }),
        1
    );
    assert_eq!(shown(&domains(&["dev"])), 0);
    assert_eq!(
        shown(&Filter {
            vms: names(&["vm-1"]),
            ..Filter::default()
        }),
        1
    );
}
