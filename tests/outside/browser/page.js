// A page that calls the services with the stock client for browsers. The test
// bundles it, beside the code generated from the .proto files, and says by
// `call` which calls to make.

import { toJson } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";

import { AuthService } from "./auth/v1/auth_pb.js";
import { BadRequestSchema, ErrorInfoSchema } from "./google/rpc/error_details_pb.js";
import { ProfileService } from "./profile/v1/profile_pb.js";

const SERVICES = { AuthService, ProfileService };

// Makes a call, and gives what came of it as JSON: an `answer`, or the `code`
// of an error and what its details say.
window.call = async (address, name, method, message, headers) => {
  const service = SERVICES[name];
  const transport = createGrpcWebTransport({ baseUrl: `http://${address}`, defaultTimeoutMs: 5000 });
  try {
    const answer = await createClient(service, transport)[method](message, { headers });
    return { answer: toJson(service.method[method].output, answer) };
  } catch (thrown) {
    const error = ConnectError.from(thrown);
    const wrong = error.findDetails(BadRequestSchema).flatMap((detail) => detail.fieldViolations);
    return {
      code: Code[error.code],
      reasons: error.findDetails(ErrorInfoSchema).map((info) => `${info.domain}: ${info.reason}`),
      fields: wrong.map((violation) => violation.field),
    };
  }
};
