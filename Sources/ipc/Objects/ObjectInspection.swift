import Interprocess
import InterprocessSystem

/// What `ipc inspect` says of an object that is no arena.
struct ObjectInspection {
    let object: ObjectStatus
    let details: ObjectDetails

    func write(json: Bool) throws {
        try Output.write(json ? self.json.description + "\n" : text)
        // Something in it is impossible.
        if case .failure(let error) = details.figures { throw error }
    }

    private var text: String {
        let header = details.header
        var lines = [
            "\(object.printableName): \(details.kindText), \(object.stateText)", "",
            line("size", byteCount(object.size)), line("capacity", "\(header.capacity)"),
            line("made", "\(ageText(since: header.createdNanoseconds)) ago by \(header.creatorProgram) (pid \(header.creatorPID))"),
            line("lives", header.lifetime == .untilRemoved ? "until it is removed" : "until its last peer leaves"),
            line("peers", "\(details.peers.count { $0.isAlive }) of \(header.maximumPeers)"),
        ]
        if case .success(let figures) = details.figures, !figures.isEmpty {
            lines.append("")
            lines += figures.map { line($0.name, $0.kind == .flag ? ($0.value == 0 ? "no" : "yes") : "\($0.value)") }
        }
        var text = lines.joined(separator: "\n") + "\n"
        if !details.peers.isEmpty {
            var table = ObjectPeer.table
            table.rows = details.peers.map(\.row)
            text += "\n" + table.text()
        }
        return text
    }

    private func line(_ name: String, _ value: String) -> String { name + String(repeating: " ", count: max(1, 21 - name.count)) + value }

    private var json: JSONValue {
        guard case .object(let members) = object.json else { return .null }
        return .object(members.filter { $0.0 != "peers" } + [("peers", .array(details.peers.map(\.json)))])
    }
}
