import CInterprocess

/// What stands at a container's name: its words, with the types of what it holds in the type's identifier, so that two programs that mean different ones are told.
protocol ContainerControl: Shareable {
    /// The beginning of the identifier, by which ``SharedArena/destroy(_:until:)`` knows what it is.
    static var kind: ContainerKind { get }
}

enum ContainerKind: String, CaseIterable {
    case array = "SharedArray<", dictionary = "SharedDictionary<", queue = "ArenaQueue<", string = "SharedString"

    init?(ofType identifier: String) {
        // The others are of something, which follows; a type of the user's may begin with any of these words.
        guard let kind = Self.allCases.first(where: { $0 == .string ? identifier == $0.rawValue : identifier.hasPrefix($0.rawValue) })
        else {
            return nil
        }
        self = kind
    }

    static func describe(_ type: (some Shareable).Type) -> String {
        let element = ElementDescription(of: type)
        return "\(element.identifier):\(element.size)"
    }
}

extension SharedArena {
    /// The words of a container, which is made if it is not there, or if it is one that somebody has died destroying.
    ///
    /// - Throws: ``ArenaError`` as ``findOrConstruct(_:as:until:_:)``.
    func container<Control: ContainerControl>(
        _ name: String, as type: Control.Type, until deadline: Deadline, _ initialize: (inout Control) -> Void
    ) throws(ArenaError) -> ContainerWords {
        for _ in 0..<1000 {
            let place: TypedOffset<Control>
            do {
                place = try findOrConstruct(name, as: type, until: deadline) { initialize(&$0) }
            } catch let error as ArenaError {
                throw error
            } catch { preconditionFailure("what initialises a container throws nothing") }
            let words = try unsafe ContainerWords(at: UnsafeMutableRawPointer(core.pointer(place)), place.offset.rawValue)
            if !isBeingDestroyed(words, Control.kind) { return words }
            try destroy(name, until: deadline)
        }
        // Each time another has destroyed it meanwhile: hardly anybody can.
        throw .damaged("is_destroyed")
    }

    private func isBeingDestroyed(_ words: ContainerWords, _ kind: ContainerKind) -> Bool {
        kind == .string ? StringCore(self, "", words).isDestroyed : words.isDestroyed.loadAcquire() != 0
    }

    /// Before the object `name` is destroyed: frees what it has in the arena, if it is a container.
    func destroyContent(of name: String, _ found: ArenaObjectDescription, until deadline: Deadline) throws(ArenaError) {
        guard let kind = ContainerKind(ofType: found.typeName) else { return }
        let bytes = try unsafe core.bytes(Offset(found.object))
        let words = unsafe ContainerWords(at: bytes.baseAddress!, found.object)
        let size =
            switch kind {
            case .dictionary: DictionaryList.size
            case .array: ArrayCore.headSize
            case .queue: ArenaQueueCore.size
            case .string: MemoryLayout<ipc_string>.size
            }
        guard bytes.count >= size else { throw .damaged("type") }
        switch kind {
        case .dictionary: try DictionaryCore(ContainerCore(self, name, words)).destroy(until: deadline)
        case .array: try ArrayCore(ContainerCore(self, name, words)).destroy(until: deadline)
        case .queue: try ArenaQueueCore(ContainerCore(self, name, words)).destroy(until: deadline)
        case .string: try StringCore(self, name, words).destroy()
        }
    }
}
