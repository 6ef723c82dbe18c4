use super::*;

/// Folders on disk: `postgres` and the others, each with its cluster's version.
struct Disk {
    dir: tempfile::TempDir,
    folders: Folders,
}

impl Disk {
    fn with(clusters: &[(&str, u32)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, major) in clusters {
            let global = dir.path().join(name).join("global");
            fs::create_dir_all(&global).unwrap();
            fs::write(global.join("pg_control"), "x").unwrap();
            fs::write(global.with_file_name("PG_VERSION"), format!("{major}\n")).unwrap();
        }
        let folders = Folders::of(dir.path());
        Self { dir, folders }
    }

    /// Version per folder.
    fn lies(&self) -> Vec<(String, Option<u32>)> {
        let mut found: Vec<_> = fs::read_dir(self.dir.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name().into_string().unwrap(), major_of(&entry.path())))
            .collect();
        found.sort();
        found
    }
}

const OLD: &str = "postgres";
const FRESH: &str = "postgres.upgrading/cluster";
const BEFORE: &str = "postgres.before-upgrade";
const AFTER: &str = "postgres.after-upgrade";

fn lying(expected: &[(&str, u32)]) -> Vec<(String, Option<u32>)> {
    let mut expected: Vec<_> = expected.iter().map(|(name, major)| ((*name).to_owned(), Some(*major))).collect();
    expected.sort();
    expected
}

#[test]
fn clusters_change_places_and_back() {
    let disk = Disk::with(&[(OLD, 15), (FRESH, 18)]);
    disk.folders.switch().unwrap();
    remove(&disk.folders.work).unwrap();
    assert_eq!(disk.lies(), lying(&[(OLD, 18), (BEFORE, 15)]));
    disk.folders.switch_back().unwrap();
    assert_eq!(disk.lies(), lying(&[(OLD, 15), (AFTER, 18)]));
    disk.folders.forget(&disk.folders.after).unwrap();
    assert_eq!(disk.lies(), lying(&[(OLD, 15)]));
}

#[test]
fn wherever_it_was_cut_off_one_whole_cluster_is_in_its_place() {
    type Clusters = &'static [(&'static str, u32)];
    let cases: [(&str, Clusters, Clusters, usize); 8] = [
        ("while the new one was made", &[(OLD, 15), (FRESH, 18)], &[(OLD, 15)], 1),
        ("after the exchange", &[(OLD, 18), (FRESH, 15)], &[(OLD, 18), (BEFORE, 15)], 2),
        ("between two renames", &[(BEFORE, 15), (FRESH, 18)], &[(OLD, 15)], 2),
        ("in a rollback, after the exchange", &[(OLD, 15), (BEFORE, 18)], &[(OLD, 15), (AFTER, 18)], 1),
        ("in a rollback, between two renames", &[(BEFORE, 15), (AFTER, 18)], &[(OLD, 15), (AFTER, 18)], 1),
        ("while one was removed", &[(OLD, 18), ("postgres.removing", 15)], &[(OLD, 18)], 0),
        ("not at all", &[(OLD, 18), (BEFORE, 15)], &[(OLD, 18), (BEFORE, 15)], 0),
        // The cluster was moved aside by `holdfast restore`: the kept one must not replace it.
        ("not at all, before a restore", &[(BEFORE, 15)], &[(BEFORE, 15)], 0),
    ];
    for (when, left, expected, said) in cases {
        let disk = Disk::with(left);
        assert_eq!(disk.folders.put_in_order().unwrap().len(), said, "{when}");
        assert_eq!(disk.lies(), lying(expected), "{when}");
        assert_eq!(disk.folders.put_in_order().unwrap(), Vec::<String>::new(), "{when}");
    }
    // The empty folder of a run that had just started.
    let disk = Disk::with(&[(OLD, 15)]);
    fs::create_dir(&disk.folders.work).unwrap();
    disk.folders.put_in_order().unwrap();
    assert_eq!(disk.lies(), lying(&[(OLD, 15)]));
}

#[test]
fn the_only_cluster_there_is_is_not_removed() {
    let disk = Disk::with(&[(FRESH, 18)]);
    assert!(disk.folders.put_in_order().unwrap()[0].contains("stays"));
    assert_eq!(major_of(&disk.folders.fresh), Some(18));
    // A folder without a control file is not a cluster.
    let disk = Disk::with(&[(OLD, 15), (FRESH, 18)]);
    fs::remove_file(disk.folders.cluster.join("global/pg_control")).unwrap();
    assert!(disk.folders.put_in_order().unwrap()[0].contains("stays"));
    assert_eq!(major_of(&disk.folders.fresh), Some(18));
}

#[test]
fn one_works_at_a_time_and_nothing_that_is_needed_is_cleared_away() {
    let disk = Disk::with(&[(OLD, 15), (FRESH, 18)]);
    let claim = disk.folders.claim().unwrap().expect("nobody works here");
    assert!(!disk.folders.fresh.exists() && disk.folders.claim().unwrap().is_none());
    drop(claim);
    assert!(disk.folders.claim().unwrap().is_some());
    let exchanged = Disk::with(&[(OLD, 18), (FRESH, 15)]);
    assert!(exchanged.folders.claim().unwrap().is_none() && exchanged.folders.fresh.exists());
}

#[test]
fn a_cluster_that_cannot_change_places_is_named() {
    let disk = Disk::with(&[("elsewhere", 15)]);
    std::os::unix::fs::symlink("elsewhere", &disk.folders.cluster).unwrap();
    assert!(disk.folders.cannot_move().unwrap().contains("is a link"));
    assert_eq!(Disk::with(&[(OLD, 15)]).folders.cannot_move(), None);
}
