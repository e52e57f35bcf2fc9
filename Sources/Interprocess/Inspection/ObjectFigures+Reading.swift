/// Which of them an object has.
extension ObjectFigures {
    /// - Parameter queue: what was found of a queue or a fan-in queue already.
    static func read(
        _ mapping: SegmentMapping, _ queue: Result<QueueStatistics, InterprocessError>?, _ name: String
    ) -> Result<ObjectFigures, InterprocessError> {
        var figures = ObjectFigures()
        do throws(QueueDamage) {
            switch mapping.header.kind {
            case .queue, .fanIn:
                switch queue {
                case .success(let statistics)?: figures.add(statistics)
                case .failure(let error)?: return .failure(error)
                case nil: throw QueueDamage(field: "object_offset")
                }
            case .sharedQueue: try figures.addSharedQueue(mapping)
            case .topic: try figures.addTopic(mapping)
            case .service: try figures.addService(mapping)
            case .handoff: try figures.addHandoff(mapping)
            case .plain, .arena: break
            default: try figures.addSynchronization(mapping)
            }
        } catch {
            return .failure(
                InterprocessError(.damaged, "look at", name, "the field '\(error.field)' is impossible; remove it and create it anew"))
        }
        return .success(figures)
    }
}
