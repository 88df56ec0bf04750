"""`copier copy` of the repository and `holdfast new` give the same project, and `copier update` keeps it working."""

import shutil
from pathlib import Path

import pytest

from tests.e2e.repositories import commit, copier, holdfast, run, template_repository

ORDERS = """\
syntax = "proto3";
package acme.orders.v1;
import "acme/common/money.proto";
import "google/api/annotations.proto";
service Orders {
  rpc GetOrder(GetOrderRequest) returns (Order) { option (google.api.http) = {get: "/v1/orders/{id}"}; }
}
message GetOrderRequest { string id = 1; }
message Order { string id = 1; acme.common.Money total = 2; }
"""
MONEY = 'syntax = "proto3";\npackage acme.common;\nmessage Money { int64 units = 1; }\n'
SPEC = """\
apiVersion: resilience.sre.io/v1
kind: ServiceResiliencePolicy
metadata: {name: orders}
spec:
  methods:
    GetOrder: {deadline: {default: 1s, max: 2s}}
"""
JOBS = "type: google.api.Service\napis: [{name: google.longrunning.Operations}]\n"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template_repository(tmp_path_factory.mktemp("template") / "holdfast")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The folder a user is in: a contract with an import, and a spec."""
    files = {
        "protos/acme/orders/v1/orders.proto": ORDERS,
        "protos/acme/common/money.proto": MONEY,
        "spec.yaml": SPEC,
        "jobs.yaml": JOBS,
        "packs/acme/templates/extra/NOTE.md": "from acme\n",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def tree(project: Path) -> dict[str, tuple[int, bytes]]:
    return {
        path.relative_to(project).as_posix(): (path.stat().st_mode, path.read_bytes())
        for path in sorted(project.rglob("*"))
        if path.is_file() and ".git/" not in f"{path.relative_to(project)}/"
    }


def test_copier_and_new_give_the_same_project(repository: Path, here: Path) -> None:
    contract = "protos/acme/orders/v1/orders.proto"
    data = (
        "name=AcmeOrders-API2",
        f"contract={contract}",
        "include=protos",
        "spec=spec.yaml",
        "service_config=jobs.yaml",
        "pack=packs/acme",
        "description=Sells “things” & more",
    )
    copier("copy", "--trust", "--defaults", "--quiet", *(f"--data={one}" for one in data), repository, "one", cwd=here)
    options = ("--contract", contract, "-I", "protos", "--spec", "spec.yaml", "--name", "AcmeOrders-API2")
    options += ("--service-config", "jobs.yaml", "--pack", "packs/acme")
    holdfast(repository, "new", "two", *options, "--set", data[-1], "--defaults", cwd=here)

    assert tree(here / "one") == tree(here / "two")
    assert (here / "two/contract/acme/common/money.proto").read_text() == MONEY
    assert (here / "two/resilience.yaml").read_text() == SPEC
    assert (here / "two/contract/jobs.yaml").read_text() == JOBS
    assert (here / "two/NOTE.md").read_text() == "from acme\n"
    assert 'package = "acme_orders_api2"' in (here / "two/pyproject.toml").read_text()
    holdfast(repository, "check", "--project", "one", cwd=here)


def test_without_a_contract_both_lay_down_the_same_start(repository: Path, here: Path) -> None:
    for name in ("x", "y"):
        (here / name).mkdir()
    copier("copy", "--trust", "--defaults", "--quiet", repository, "x/demo", cwd=here)
    holdfast(repository, "new", "y/demo", "--defaults", cwd=here)

    assert tree(here / "x/demo") == tree(here / "y/demo")
    assert "package demo.v1;" in (here / "x/demo/contract/greeter.proto").read_text()
    answers = (here / "x/demo/.copier-answers.yml").read_text().splitlines()[1:]
    assert [line.partition(":")[0] for line in answers] == ["_commit", "_src_path", "description", "name", "package"]
    assert answers[0] == "_commit: v1.0.0"


def test_a_wrong_contract_leaves_nothing_behind(repository: Path, here: Path) -> None:
    (here / "bad.proto").write_text('syntax = "proto3";\nmessage M { strin x = 1; }\n')

    told = copier(
        "copy", "--trust", "--defaults", "--quiet", "--data=contract=bad.proto", repository, "demo", cwd=here, code=1
    )

    assert "bad.proto:2:13: proto-error:" in told
    assert "Traceback" not in told
    assert not (here / "demo").exists()


@pytest.mark.parametrize("data", ["name=not a name", "package=Not-A-Package", "description=two\nlines"])
def test_answers_are_validated(repository: Path, here: Path, data: str) -> None:
    told = copier("copy", "--trust", "--defaults", "--quiet", f"--data={data}", repository, "demo", cwd=here, code=1)

    assert f"Validation error for question '{data.partition('=')[0]}': use " in told
    assert not (here / "demo").exists()


def test_a_package_that_would_hide_a_dependency_is_refused(repository: Path, here: Path) -> None:
    told = copier("copy", "--trust", "--defaults", "--quiet", repository, "grpc", cwd=here, code=1)

    assert 'a package "grpc" would hide a module' in told


def test_update_merges_the_skeleton_and_runs_the_new_generator(repository: Path, here: Path) -> None:
    template = here / "template"
    shutil.copytree(repository, template)
    contract = "--data=contract=protos/acme/orders/v1/orders.proto"
    copier("copy", "--trust", "--defaults", "--quiet", contract, "--data=include=protos", template, "shop", cwd=here)
    project = here / "shop"
    run("git", "init", "--quiet", "--initial-branch=main", cwd=project)
    handler = project / "src/shop/handlers/orders.py"
    handler.write_text(handler.read_text() + "\n\nMINE = True\n")
    pyproject = project / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('version = "0.1.0"', 'version = "7.0.0"'))
    commit(project, "Mine")
    skeleton = template / "templates/python/skeleton/pyproject.toml.jinja"
    skeleton.write_text(skeleton.read_text() + "\n[tool.from-version-two]\n")
    runtime = template / "templates/python/runtime/__init__.py"
    runtime.write_text('"""The runtime of version two."""\n')
    commit(template, "Two", "v2.0.0")

    copier("update", "--trust", "--defaults", "--quiet", cwd=project)

    text = pyproject.read_text()
    assert 'version = "7.0.0"' in text
    assert "[tool.from-version-two]" in text
    assert 'contracts = ["acme/orders/v1/orders.proto"]' in text
    assert handler.read_text().endswith("\n\nMINE = True\n")
    assert (project / "src/shop/runtime/__init__.py").read_text() == '"""The runtime of version two."""\n'
    assert not (project / "contract/greeter.proto").exists()
    assert not run("git", "ls-files", "--unmerged", cwd=project)
    holdfast(template, "check", cwd=project)
