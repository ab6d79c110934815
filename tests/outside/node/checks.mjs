// Runs named checks and prints what each saw as one line of JSON.
export async function run(checks) {
  for (const [name, check] of Object.entries(checks)) {
    let seen;
    try {
      seen = { check: name, seen: await check() };
    } catch (error) {
      seen = { check: name, error: `${error?.stack ?? error}\n${error?.cause?.stack ?? ""}\n${error?.cause?.cause ?? ""}` };
    }
    console.log(JSON.stringify(seen));
  }
}

// What an error says of itself, in the words of the OpenAI SDK.
export async function refused(promise) {
  try {
    await promise;
    return { refused: false };
  } catch (error) {
    const { constructor, status, code, type, message, requestID } = error;
    return { refused: true, kind: constructor.name, status, code, type, message, requestID };
  }
}
