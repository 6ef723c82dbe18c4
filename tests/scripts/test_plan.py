"""scripts/test_changed.py: which rooms, tests and stages a changed path needs.

    python3 -m unittest discover -s tests/scripts
"""
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import test_changed as changed  # noqa: E402

# A house of its own: `ground` under `shop`, which stands beside `shed`; all in `app`.
HOUSE = {
    "Cargo.toml": '[package]\nname = "house"\n[dependencies]\nshop = { path = "src/shop" }\nshed = { path = "src/shed" }\n',
    "src/lib.rs": "pub use ::shop;\n",
    "src/ground/Cargo.toml": '[package]\nname = "house-ground"\n',
    "src/ground/mod.rs": "",
    "src/shop/Cargo.toml": '[package]\nname = "house-shop"\n[dependencies]\nground = { path = "../ground" }\nserde = "1"\n',
    "src/shop/mod.rs": "#[folder = \"wares/\"]\nstruct Wares;\n",
    "src/shed/Cargo.toml": '[package]\nname = "house-shed"\n',
    "src/shed/mod.rs": "",
    "src/app.rs": "",
    "tests/it/main.rs": "",
    "tests/it/shop.rs": "use crate::support::till::Till;\n",
    "tests/it/shop_keys.rs": "",
    "tests/it/lists.rs": "",
    "tests/it/fire/mod.rs": "let alarm = join(\"plans\");\n",
    "tests/it/street.rs": "till::open();\n",
    "tests/it/support/mod.rs": "",
    "tests/it/support/till.rs": "get(\"/api/v1/ground\");\n",
}


class Plans(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name).resolve()
        for name, text in HOUSE.items():
            self.write(name, text)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def plan(self, *paths):
        return changed.plan_for(paths, self.root)

    def reached(self, *paths):
        return self.plan(*paths).tests & set(changed.House(self.root).tests)

    def test_a_room_needs_the_rooms_that_stand_on_it_and_the_tests_that_mention_one(self):
        plan = self.plan("src/ground/store.rs")
        self.assertEqual(plan.units, {"ground", "shop", "app"})
        # By name, through the support that they use, and because they go over all rooms.
        self.assertEqual(self.reached("src/ground/store.rs"), {"shop", "shop_keys", "street", "lists"})
        self.assertEqual(plan.run_stages(), ["lint", "rust", "docs"])

    def test_a_leaf_needs_only_itself(self):
        self.assertEqual(self.plan("src/shed/store.rs").units, {"shed", "app"})
        self.assertEqual(self.reached("src/shed/store.rs"), {"lists"})

    def test_a_part_of_a_room_is_a_package_and_its_arrows_are_the_rooms(self):
        self.write("src/shop/till/Cargo.toml", '[package]\nname = "house-till"\n[dependencies]\nshed = { path = "../../shed" }\n')
        house = changed.House(self.root)
        self.assertEqual((house.imports["shop"], house.imports["app"]), ({"ground", "shed"}, {"shop", "shed"}))
        runs = self.plan("src/shed/store.rs").cargo_runs()
        self.assertEqual(runs[:1], ["--lib -p holdfast -p house-shed -p house-shop -p house-till"])

    def test_other_files_need_the_tests_that_read_them(self):
        self.assertEqual(self.plan("demo/x.md").run_stages(), [])
        self.assertEqual(self.reached("docs/plan.md", "plans/x"), set())
        self.assertEqual(changed.House(self.root).tests_that_read("plans/ground-floor.svg"), {"fire"})
        self.assertEqual(changed.House(self.root).rooms_that_read("wares/nails.txt"), {"shop"})

    def test_a_test_needs_itself_and_support_those_that_use_it(self):
        self.assertEqual(self.plan("tests/it/fire/alarm.rs").cargo_runs(), ["-p holdfast --test it -- fire::"])
        self.assertEqual(self.reached("tests/it/support/till.rs"), {"shop", "street"})
        self.assertEqual(self.plan("tests/it/support/mod.rs").cargo_runs(), ["-p holdfast --test it"])

    def test_what_holds_everything_and_what_nobody_knows_need_everything(self):
        for path in ["src/app.rs", "src/lib.rs", "src/new_room/mod.rs", "Cargo.lock", "scripts/lib.sh", "something/else"]:
            plan = self.plan(path, "tests/it/fire/alarm.rs")
            self.assertEqual((plan.run_stages(), plan.cargo_runs()), (changed.EVERYDAY, []), path)
            self.assertIn("everything", plan.explain("main"))

    def test_pages_metrics_and_models_need_their_stages(self):
        for path, stage in [
            ("src/shop/pages/list.rs", "browser"),
            ("src/shop/templates/list.html", "browser"),
            ("src/shop/metrics.rs", "monitoring"),
            ("alerts/shop.yml", "monitoring"),
            ("docs/metrics.md", "docs"),
            ("tests/compose/stack", "compose"),
            ("deny.toml", "lint"),
        ]:
            self.assertIn(stage, self.plan(path).run_stages(), path)


class Here(unittest.TestCase):
    """What the rules say of this repository is true of it."""

    def setUp(self):
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
        self.files, self.house = listed.stdout.splitlines(), changed.House()

    def test_every_rule_fits_a_file(self):
        for pattern, stages in changed.RULES:
            self.assertTrue(any(re.match(pattern, path) for path in self.files), pattern)
            self.assertLessEqual(set(stages), set(changed.STAGES))

    def test_names_are_those_of_rooms_and_tests(self):
        self.assertLessEqual(changed.WHOLE_HOUSE - {"lib", "main"} | changed.OF_CLIENTS, self.house.rooms)
        self.assertLessEqual(set(changed.OVER_ALL_ROOMS), set(self.house.tests))
        self.assertLessEqual(changed.SUPPORT_OF_ALL, set(self.house.support))
        script = (ROOT / "scripts/test").read_text()
        for stage in changed.STAGES:
            self.assertIn(f"\n{stage}() {{", script)

    def test_every_room_stands_on_platform(self):
        self.assertEqual(self.house.standing_on("platform"), self.house.rooms - {"platform"})

    def test_every_integration_test_is_run_for_some_room(self):
        reached = set(changed.OVER_ALL_ROOMS).union(*(self.house.tests_of_room(room) for room in self.house.rooms))
        self.assertEqual(set(self.house.tests) - reached, set())


class Git(unittest.TestCase):
    def test_commits_the_working_tree_and_new_files_count(self):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)

            def git(*arguments):
                name = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
                subprocess.run(["git", *name, *arguments], cwd=root, check=True, capture_output=True)

            git("init", "-b", "main")
            for name in ["kept", "committed", "edited", "moved"]:
                (root / name).write_text(name)
            git("add", ".")
            git("commit", "-m", "1")
            git("checkout", "-b", "work")
            (root / "committed").write_text("2")
            (root / "moved").rename(root / "there")
            git("add", ".")
            git("commit", "-m", "2")
            (root / "edited").write_text("2")
            (root / "new file").write_text("2")
            here, changed.ROOT = changed.ROOT, root
            self.addCleanup(setattr, changed, "ROOT", here)
            self.assertEqual(changed.changed_paths("main"), ["committed", "edited", "moved", "new file", "there"])
            with self.assertRaises(SystemExit):
                changed.changed_paths("no-such-branch")


if __name__ == "__main__":
    unittest.main()
