"""Measure the server: requests of many clients at once, and malformed requests; each run starts its own server.

Examples:
  8 clients with 50 requests each, and 200 malformed requests:
    python tools/benchmark_serving.py

  one of them, with other numbers:
    python tools/benchmark_serving.py --only load --clients 16 --requests 20
    python tools/benchmark_serving.py --only malformed --malformed 1000 --seed 7

  the gain of batches: the same load without them
    python tools/benchmark_serving.py --only load --batch 1
"""

import argparse
import base64
import io
import json
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

from frozenseg.cli.command_line import docstring_parser, run_script, whole_number_flag

CLASS_NAMES = "red circle; blue square; green triangle; grass; water"
STUFF = "grass; water"
SCENES = 8  # different images
ATTEMPTS = 100  # of a request that the server answers with 503
MIB = 2**20


class Sample(NamedTuple):
    """A finished request.

    Attributes:
        status: of the answer.
        seconds: from the request to the answer, without waiting after 503.
        busy: number of answers 503 before it.
    """

    status: int
    seconds: float
    busy: int


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and measure.

    Args:
        argv: arguments; None for those of the process.
    """
    parser = docstring_parser(__doc__)
    parser.add_argument("--only", choices=("load", "malformed"), help="one of the measurements (default: both)")
    parser.add_argument("--weights", default="toyworld", help="name or file (default: toyworld)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:N or auto (default: cpu)")
    parser.add_argument("--clients", type=whole_number_flag(1, 256, "clients"), default=8)
    parser.add_argument("--requests", type=whole_number_flag(1, 10**5, "requests"), default=50, help="of each client")
    parser.add_argument("--size", type=whole_number_flag(32, 4096, "pixels"), default=256, help="side of the images")
    parser.add_argument("--batch", type=whole_number_flag(1, 64, "images"), default=8)
    parser.add_argument("--malformed", type=whole_number_flag(1, 10**5, "requests"), default=200)
    parser.add_argument("--seed", type=int, default=0, help="of the malformed requests")
    arguments = parser.parse_args(argv)
    return run_script(lambda: _measure(arguments))


def _measure(arguments: argparse.Namespace) -> int:
    failures = 0
    with running_server(arguments) as address:
        if arguments.only != "malformed":
            failures += measure_load(address, int(arguments.clients), int(arguments.requests), int(arguments.size))
        if arguments.only != "load":
            failures += measure_malformed(address, int(arguments.malformed), arguments.seed)
    return min(failures, 1)


@contextmanager
def running_server(arguments: argparse.Namespace) -> Iterator[str]:
    """Run a server in a thread; yields its address.

    Args:
        arguments: ``weights``, ``device`` and ``batch``.
    """
    from frozenseg.inference.predictor import Segmenter
    from frozenseg.serving.process import bound_server, listen
    from frozenseg.serving.settings import ServerLimits, ServerSettings
    from frozenseg.serving.state import ServedModel

    segmenter = Segmenter.from_pretrained(arguments.weights, device=arguments.device)
    settings = ServerSettings(port=0, limits=ServerLimits(batch=int(arguments.batch)))
    bound = bound_server(ServedModel(segmenter, arguments.weights), settings, listen(settings))
    thread = threading.Thread(target=bound.run)
    thread.start()
    try:
        yield bound.address
    finally:
        bound.server.should_exit = True
        thread.join()


def measure_load(address: str, clients: int, requests: int, size: int) -> int:
    """Send requests of several clients at once, print times and memory; returns the number of failed requests.

    Args:
        address: of the server.
        clients: number of threads.
        requests: of each.
        size: height and width of the images, pixels.
    """
    bodies = [_body(number, size) for number in range(1, SCENES + 1)]
    _request(address, bodies[0])  # encodes the class names
    memory = [_memory(address)]
    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        turns = [pool.submit(_client, address, bodies, requests, memory) for _ in range(clients)]
        samples = [sample for turn in turns for sample in turn.result()]
    seconds = time.perf_counter() - start
    times = sorted(sample.seconds for sample in samples)
    statuses = Counter(sample.status for sample in samples)
    failed = len(samples) - statuses[200]
    half = len(memory) // 2
    print(f"load: {clients} clients, {requests} requests each, images of {size}×{size}")
    print(f"  statuses {dict(statuses)}, answers 503 before them {sum(sample.busy for sample in samples)}")
    print(f"  p50 {1000 * times[len(times) // 2]:.0f} ms, p95 {1000 * times[int(0.95 * len(times))]:.0f} ms")
    print(f"  {len(samples) / seconds:.1f} images a second; images a batch {_images_per_batch(address):.2f}")
    print(
        f"  memory {memory[0]:.0f} MiB before, {statistics.median(memory[1:half]):.0f} in the first half, "
        f"{statistics.median(memory[half:]):.0f} in the second, {memory[-1]:.0f} at the end"
    )
    return failed


def _body(number: int, size: int) -> tuple[bytes, str]:
    """Return a request with a scene, and its content type."""
    from frozenseg.toyworld.samples import sample_scene

    content = io.BytesIO()
    sample_scene(number, size).save(content, "JPEG", quality=95)
    image = base64.b64encode(content.getvalue()).decode("ascii")
    body = {"image": image, "words": CLASS_NAMES, "stuff": STUFF, "formats": ["rle", "polygons"], "tolerance": 1}
    return json.dumps(body).encode(), "application/json"


def _client(address: str, bodies: list[tuple[bytes, str]], requests: int, memory: list[float]) -> list[Sample]:
    samples = []
    for number in range(requests):
        samples.append(_request(address, bodies[number % len(bodies)]))
        if number % 5 == 0:
            memory.append(_memory(address))
    return samples


def _request(address: str, body: tuple[bytes, str]) -> Sample:
    """Send a request, again after the answer 503."""
    status, busy, start = 503, -1, 0.0
    while status == 503 and busy < ATTEMPTS:
        busy += 1
        start = time.perf_counter()
        status, headers, _ = send(address, "POST", "/v1/segment", body[0], {"Content-Type": body[1]})
        if status == 503:
            time.sleep(float(headers.get("Retry-After", "1")))
    return Sample(status, time.perf_counter() - start, busy)


def send(
    address: str, method: str, path: str, body: bytes, headers: dict[str, str]
) -> tuple[int, dict[str, str], bytes]:
    """Send a request; returns status, headers and body of the answer."""
    import http.client

    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=120)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()
    finally:
        connection.close()


def _metric(address: str, name: str) -> float:
    text = send(address, "GET", "/metrics", b"", {})[2].decode()
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith(f"{name} ")))


def _memory(address: str) -> float:
    """Return the resident memory of the server's process, MiB; this tool is part of it."""
    return _metric(address, "process_resident_memory_bytes") / MIB


def _images_per_batch(address: str) -> float:
    return _metric(address, "frozenseg_batch_images_sum") / _metric(address, "frozenseg_batch_images_count")


def measure_malformed(address: str, count: int, seed: int) -> int:
    """Send malformed requests, print the statuses; returns the number of answers that are not 4xx with one sentence.

    Args:
        address: of the server.
        count: number of requests.
        seed: of their choice.
    """
    from lab.malformed_requests import malformed_requests

    statuses: Counter[str] = Counter()
    wrong = []
    for request in malformed_requests(count, seed):
        status, _, content = send(address, request.method, request.path, request.body, request.headers)
        statuses[f"{request.kind}: {status}"] += 1
        if not (400 <= status < 500 and _is_one_sentence(content)):
            wrong.append((request.kind, status, content[:200]))
    health = send(address, "GET", "/healthz", b"", {})[0]
    good = _request(address, _body(1, 64)).status
    print(f"malformed: {count} requests, seed {seed}")
    for name, number in sorted(statuses.items()):
        print(f"  {number:4} {name}")
    print(f"  wrong answers {len(wrong)}; afterwards health {health}, a good request {good}")
    for each in wrong:
        print(f"  {each}")
    return len(wrong) + (health != 200) + (good != 200)


def _is_one_sentence(content: bytes) -> bool:
    """Return True for ``{"error": "…"}`` of one line without a stack trace."""
    try:
        answer: Any = json.loads(content)
    except ValueError:
        return False
    text = answer.get("error", "") if isinstance(answer, dict) and answer.keys() == {"error"} else ""
    return 0 < len(text) <= 600 and "\n" not in text and "Traceback" not in text and 'File "' not in text


if __name__ == "__main__":
    raise SystemExit(main())
