import Interprocess
import InterprocessSystem
import SystemPackage

/// A filter of system calls for people, for programs, and for those that run containers.
extension SystemCallFilter {
    var table: String {
        let architectures = Architecture.allCases
        var table = TextRows(
            .left("call"), .right(architectures[0].rawValue), .right(architectures[1].rawValue), .left("answer"), .left("why"))
        table.rows = rules.map { rule in
            let conditions = rule.conditions.map(\.meaning).joined(separator: ", ")
            return [rule.call.name] + architectures.map { "\(rule.call.number(on: $0))" }
                + [conditions.isEmpty ? "\(rule.action)" : "\(rule.action): \(conditions)", rule.reason]
        }
        table.rows.append(["every other", "", "", "\(otherwise)", ""])
        return table.text()
    }

    var json: JSONValue {
        .object([
            ("rules", .array(rules.map(\.json))), ("otherwise", .object(otherwise.json)),
            (
                "program",
                .object(
                    Architecture.allCases.map { architecture in
                        let steps = program(for: architecture).map { step in
                            [Int(step.code), Int(step.skipIfTrue), Int(step.skipIfFalse), Int(step.constant)]
                        }
                        return (architecture.rawValue, .array(steps.map { .array($0.map { .int($0) }) }))
                    })
            ),
        ])
    }

    /// As `docker run --security-opt seccomp=` takes it.
    var containerProfile: JSONValue {
        .object(
            otherwise.profile("defaultAction", "defaultErrnoRet") + [
                (
                    "archMap",
                    .array(
                        ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"].map {
                            .object([("architecture", .string($0)), ("subArchitectures", .array([]))])
                        })
                ),
                (
                    "syscalls",
                    .array(
                        rules.map { rule in
                            .object(
                                [("names", .array([.string(rule.call.name)]))] + rule.action.profile("action", "errnoRet") + [
                                    ("args", .array(rule.conditions.map(\.profile))), ("comment", .string(rule.reason)),
                                ])
                        })
                ),
            ])
    }
}

extension SystemCallFilter.Rule {
    fileprivate var json: JSONValue {
        .object(
            [("call", .string(call.name))]
                + SystemCallFilter.Architecture.allCases.map { ($0.rawValue, .int(Int(call.number(on: $0)))) } + action.json + [
                    (
                        "conditions",
                        .array(
                            conditions.map {
                                .object([
                                    ("argument", .int($0.argument)), ("mask", .int(Int($0.mask))), ("value", .int(Int($0.value))),
                                    ("meaning", .string($0.meaning)),
                                ])
                            })
                    ),
                    ("reason", .string(reason)),
                ])
    }
}

extension SystemCallFilter.Condition {
    /// The mask is the first value, and what the masked argument must be the second.
    fileprivate var profile: JSONValue {
        .object([
            ("index", .int(argument)), ("value", .int(Int(mask))), ("valueTwo", .int(Int(value))), ("op", "SCMP_CMP_MASKED_EQ"),
        ])
    }
}

extension SystemCallFilter.Action {
    fileprivate var json: [(String, JSONValue)] {
        switch self {
        case .allow: [("action", "allow")]
        case .refuse(let error): [("action", "refuse"), ("errno", .int(Int(error.rawValue)))]
        case .killProcess: [("action", "kill")]
        }
    }

    fileprivate func profile(_ action: String, _ error: String) -> [(String, JSONValue)] {
        switch self {
        case .allow: [(action, "SCMP_ACT_ALLOW")]
        case .refuse(let errno): [(action, "SCMP_ACT_ERRNO"), (error, .int(Int(errno.rawValue)))]
        case .killProcess: [(action, "SCMP_ACT_KILL_PROCESS")]
        }
    }
}
