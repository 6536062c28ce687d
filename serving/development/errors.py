"""What a caller is told when it cannot be served, in gRPC's terms and in HTTP's."""

import grpc
import tensorflow as tf

_LONGEST_MESSAGE = 1_000

# As TF Serving translates them; all others are 500.
_HTTP_STATUS = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}


class Refused(Exception):
    """A request that is not served.

    Attributes:
      code: gRPC's.
      message: what was wrong with it.
    """

    def __init__(self, message: str, code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT):
        # Over gRPC a message travels in a header, which has a limit; and a name may be no UTF-8.
        self.message = message[:_LONGEST_MESSAGE].encode("utf-8", "replace").decode()
        super().__init__(self.message)
        self.code = code

    @property
    def http_status(self) -> int:
        """The status of the answer over REST."""
        return _HTTP_STATUS.get(self.code, 500)


def refused(error: tf.errors.OpError) -> Refused:
    """What TensorFlow said of a request, without the names of the graph's nodes."""
    message = error.message.partition("\n\t [[")[0].removeprefix("Graph execution error:").strip()
    return Refused(message, _BY_NUMBER.get(error.error_code, grpc.StatusCode.INTERNAL))
