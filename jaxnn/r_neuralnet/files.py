"""A fitted network in one `.npz` file: its arrays, and a header in JSON that says what they are.

Nothing is pickled: a pickle runs whatever its author put into it, and files of networks are passed around.
"""

import io
import json
import zipfile
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from jaxnn.errors import DataFileError, InvalidArgument, require
from jaxnn.files import write
from jaxnn.r_neuralnet.fitted import Fitted, Settings
from jaxnn.r_neuralnet.formulas.design import Design, Part
from jaxnn.r_neuralnet.network import Architecture
from jaxnn.r_neuralnet.scaling import Scaling
from jaxnn.restarts import Restarts

FORMAT, VERSION = "jaxnn.neuralnet", 2


def save(fitted: Fitted, path: str | PathLike, data: bool = True) -> None:
    """Write a fit to `path`, which ends in `.npz`; all of it, or all but the data that it was fitted to.

    Raises `InvalidArgument` where an activation or the error is a function, which a file cannot hold.
    """
    file = Path(path)
    require(file.suffix == ".npz", "path", str(path), "a name that ends in .npz")
    settings = fitted.settings._asdict()
    if settings["patience"] is None:  # a part of version 2 that came late: what has it not is as it was
        del settings["patience"]
    architecture = settings.pop("architecture")
    for name in ("activation", "output", "error"):
        given = getattr(architecture, name)
        require(isinstance(given, str), "net", f"the function {given!r} as its {name}", "one with a name, to be saved")
    design, constants = settings.pop("design"), settings.pop("constants")
    header = {
        "format": FORMAT,
        "version": VERSION,
        "rows": fitted.rows,
        "data": data,
        "settings": settings,
        "architecture": architecture._asdict(),
        "design": {
            "covariates": [[part._asdict() for part in term] for term in design.covariates],
            "responses": [part._asdict() for part in design.responses],
        },
    }
    arrays = {f"found.{name}": value for name, value in fitted.restarts._asdict().items() if value is not None}
    arrays |= {"starts": fitted.starts, "constants": constants}
    if data:
        arrays |= {"covariate": fitted.covariate, "response": fitted.response}
        of_rows = {"weights": fitted.weights, "held_out": fitted.held_out}
        arrays |= {name: values for name, values in of_rows.items() if values is not None}
    packed = io.BytesIO()  # whole before anything is written: what fails leaves the file that is there
    np.savez_compressed(packed, header=np.array(json.dumps(header)), **arrays)
    try:
        write(file, packed.getvalue())
    except OSError as error:
        raise InvalidArgument(f"path: got {path}, which cannot be written: {error.strerror or error}") from None


def read(path: str | PathLike) -> Fitted:
    """Return the fit that `save` wrote.

    Raises `DataFileError` for a file that is missing, damaged, of another program or of a later version.
    """
    try:
        with Path(path).open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise DataFileError(f"path: got {path}, which does not exist, expected a file that net.save wrote") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, TypeError, AttributeError) as error:
        # What NumPy and zipfile raise on damaged files, between them; a lone array in a `.npy` file has no `files`.
        raise DataFileError(f"path: got {path}, which is damaged or no .npz file ({error}); save it again") from None
    try:
        header = json.loads(str(arrays.pop("header")))
        kind, version = header["format"], header["version"]
    except (KeyError, TypeError, ValueError):
        kind, version, header = None, None, {}
    if kind != FORMAT:
        raise DataFileError(f"path: got {path}, which holds something else, expected a file that net.save wrote")
    if version not in range(1, VERSION + 1):
        raise DataFileError(f"path: got {path} of version {version}, expected version {VERSION}: use a later jaxnn")
    try:
        return _fitted(_of_today(header) if version == 1 else header, arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise DataFileError(f"path: got {path}, whose header or arrays are incomplete ({error!r})") from None


def _fitted(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Fitted:
    settings, shape = header["settings"], header["architecture"]
    architecture = Architecture(**(shape | {"sizes": tuple(shape["sizes"])}))
    design = Design(
        tuple(tuple(_part(**part) for part in term) for term in header["design"]["covariates"]),
        tuple(_part(**part) for part in header["design"]["responses"]),
    )
    scaling = settings.get("scaling")
    settings |= {"excluded": tuple(settings["excluded"]), "design": design, "constants": arrays["constants"]}
    settings |= {"scaling": None if scaling is None else Scaling(*map(tuple, scaling))}
    restarts = Restarts(**{name: arrays[f"found.{name}"] for name in Restarts._fields if f"found.{name}" in arrays})
    count = len(restarts.loss)
    fits = restarts.params.shape == arrays["starts"].shape == (count, architecture.n_weights)
    require(fits, "params", f"shape {restarts.params.shape}", f"shape ({count}, {architecture.n_weights})")
    asked = Settings(architecture=architecture, **settings)
    kept = (arrays["covariate"], arrays["response"]) if header.get("data", True) else None
    rows = header["rows"] if "rows" in header else len(arrays["covariate"])
    return Fitted(asked, kept, arrays["starts"], restarts, rows, arrays.get("weights"), arrays.get("held_out"))


def _of_today(header: dict[str, Any]) -> dict[str, Any]:
    """Return the header of a file of version 1, which had a name, levels and a comparison for each term, as today's."""

    def part(name: str, levels: list | None, comparison: list | None, response: bool = False) -> dict[str, Any]:
        if comparison is not None:
            value = comparison[2]
            shown = (
                f'"{value}"'
                if isinstance(value, str)
                else str(value).upper()
                if isinstance(value, bool)
                else f"{value:g}"
            )
            text = f"{name} {comparison[1]} {shown}"
            return Part(text, (text,), (name,), labels=(False, True))._asdict()
        if levels is None:
            return Part(name, (name,), labels=(False, True) if response else None)._asdict()
        names = [str(v) for v in levels] if response else [f"{name}{v}" for v in levels[1:]]
        return Part(name, tuple(names), levels=tuple(levels))._asdict()

    design = {
        "covariates": [[part(**term)] for term in header["design"]["covariates"]],
        "responses": [part(**term, response=True) for term in header["design"]["responses"]],
    }
    return header | {"design": design}


def _part(
    name: str,
    names: list,
    of: list | None,
    levels: list | None,
    labels: list | None,
    state: dict | None,
    dtype: str | None = None,
) -> Part:
    of_, levels_, labels_ = (None if given is None else tuple(given) for given in (of, levels, labels))
    return Part(name, tuple(names), of_, levels_, labels_, state, dtype)
