// Ask a gauge about a photo with ONNX Runtime: prints the verdict, the probability and the heat map's hottest place.
//
//   c++ -std=c++17 -O2 -I ONNXRUNTIME/include examples/cpp/inspect.cpp -L ONNXRUNTIME/lib -lonnxruntime -o inspect
//   ./inspect GAUGE/model.onnx photo.pgm
//
// The photo is a binary PGM (grey) or PPM (colour) of 8 bits. Crop, reduction and normalisation are in the model; its
// classes, threshold and size of photo are in its metadata, so the one file is enough. Needs nlohmann/json as well.
// Exit code: 0 go, 1 no-go, 2 the model or the photo cannot be read, 3 review.
#include <nlohmann/json.hpp>
#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr int kSchema = 1;

struct Photo {
    int64_t width = 0, height = 0, channels = 0;
    std::vector<uint8_t> pixels; // rows from the top, channels side by side
};

struct Facts {
    std::vector<std::string> classes;
    int64_t good = -1; // its place among the classes; -1 where photos are sorted into kinds, none of which is good
    float threshold = 0, no_go_from = 0;
    int64_t channels = 0, width = 0, height = 0; // a width of 0: any size that holds the crop
    int64_t right = 0, bottom = 0; // where the crop ends
};

struct Told {
    std::string verdict, label;
    float prob = 0;
};

Facts read_facts(Ort::Session& session)
{
    Ort::AllocatorWithDefaultOptions allocator;
    const auto text = session.GetModelMetadata().LookupCustomMetadataMapAllocated("gonogo", allocator);
    if (text == nullptr)
        throw std::runtime_error("no gonogo metadata; give the model.onnx of a gauge");
    const auto all = nlohmann::json::parse(text.get());
    if (all.at("schema") != kSchema)
        throw std::runtime_error("schema " + all.at("schema").dump() + ", expected 1; export the gauge again");
    const auto &decision = all.at("decision"), &geometry = all.at("geometry");
    Facts facts;
    facts.classes = decision.at("classes").get<std::vector<std::string>>();
    if (!decision.at("good").is_null()) {
        const auto found = std::find(facts.classes.begin(), facts.classes.end(), decision.at("good"));
        if (found == facts.classes.end())
            throw std::runtime_error("a good class that is none of the classes; export the gauge again");
        facts.good = found - facts.classes.begin();
        facts.threshold = decision.at("threshold").get<float>();
        facts.no_go_from = decision.value("no_go_from", facts.threshold);
    }
    facts.channels = geometry.at("channels");
    if (geometry.contains("width")) { // left out where photos of any size are taken
        facts.right = facts.width = geometry.at("width");
        facts.bottom = facts.height = geometry.at("height");
    } else {
        const auto crop = geometry.at("crop").get<std::vector<int64_t>>(); // x, y, width, height
        facts.right = crop.at(0) + crop.at(2);
        facts.bottom = crop.at(1) + crop.at(3);
    }
    return facts;
}

// The next number of a PGM's header, past blanks and comments.
int64_t next_number(std::istream& file)
{
    int64_t value = -1;
    while ((file >> std::ws).peek() == '#')
        file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    file >> value;
    return value;
}

Photo read_photo(const std::string& path)
{
    std::ifstream file(path, std::ios::binary);
    if (!file)
        throw std::runtime_error(path + ": cannot be opened");
    Photo photo;
    const int p = file.get(), kind = file.get();
    photo.width = next_number(file);
    photo.height = next_number(file);
    if (p != 'P' || (kind != '5' && kind != '6') || next_number(file) != 255)
        throw std::runtime_error(path + ": another kind of file; expected a binary PGM or PPM of 8 bits");
    if (std::min(photo.width, photo.height) < 1 || std::max(photo.width, photo.height) > 65535)
        throw std::runtime_error(path + ": another size; expected sides of 1 to 65535 pixels");
    file.get(); // the one blank after the header
    photo.channels = kind == '5' ? 1 : 3;
    photo.pixels.resize(static_cast<size_t>(photo.width * photo.height * photo.channels));
    if (!file.read(reinterpret_cast<char*>(photo.pixels.data()), static_cast<std::streamsize>(photo.pixels.size())))
        throw std::runtime_error(path + ": cut short");
    return photo;
}

void check_fits(const Photo& photo, const Facts& facts, const std::string& path)
{
    if (photo.channels != facts.channels)
        throw std::runtime_error(path + ": another kind of file; expected " + (facts.channels == 1 ? "PGM" : "PPM"));
    const bool fits = facts.width != 0 ? photo.width == facts.width && photo.height == facts.height
                                       : photo.width >= facts.right && photo.height >= facts.bottom;
    if (!fits)
        throw std::runtime_error(path + ": another size; expected " + (facts.width != 0 ? "" : "at least ")
            + std::to_string(facts.right) + " x " + std::to_string(facts.bottom) + " pixels");
}

// As the gauge decides everywhere. Comparisons are asked so that what is not a number does not pass as good.
Told decide(const Facts& facts, const float* probs, const float* novelty)
{
    Told told;
    int64_t likeliest = facts.good == 0 ? 1 : 0;
    for (int64_t k = 0; k < static_cast<int64_t>(facts.classes.size()); k++)
        if (k != facts.good && probs[k] > probs[likeliest])
            likeliest = k;
    told.label = facts.classes.at(static_cast<size_t>(likeliest));
    if (facts.good < 0) {
        told.verdict = "sorted";
        told.prob = probs[likeliest];
    } else {
        told.prob = 1.0F - probs[facts.good];
        const bool go = told.prob < facts.threshold;
        told.verdict = go ? "go" : told.prob < facts.no_go_from ? "review" : "no-go";
        if (go)
            told.label = facts.classes.at(static_cast<size_t>(facts.good));
    }
    if (novelty != nullptr && !(*novelty <= 1.0F)) // unlike everything in training
        told.verdict = "review";
    return told;
}

int inspect(const char* model, const std::string& path)
{
    const Ort::Env env(ORT_LOGGING_LEVEL_FATAL, "gonogo");
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(1); // a network this small is slower on several
    Ort::Session session(env, model, options);
    const Facts facts = read_facts(session);
    Photo photo = read_photo(path);
    check_fits(photo, facts, path);

    const auto memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeCPU);
    const int64_t shape[] = {1, photo.height, photo.width, photo.channels};
    const auto pixels = Ort::Value::CreateTensor(memory, photo.pixels.data(), photo.pixels.size(), shape, 4);
    Ort::AllocatorWithDefaultOptions allocator;
    std::vector<std::string> names; // pred_probs and, where the network has them, heatmap and novelty
    for (size_t k = 0; k < session.GetOutputCount(); k++)
        names.emplace_back(session.GetOutputNameAllocated(k, allocator).get());
    std::vector<const char*> outputs;
    for (const auto& name : names)
        outputs.push_back(name.c_str());
    const char* const inputs[] = {"pixels"};
    const auto answers = session.Run(Ort::RunOptions{nullptr}, inputs, &pixels, 1, outputs.data(), outputs.size());
    std::map<std::string, const Ort::Value*> by_name;
    for (size_t k = 0; k < names.size(); k++)
        by_name[names[k]] = &answers[k];

    if (by_name.at("pred_probs")->GetTensorTypeAndShapeInfo().GetElementCount() != facts.classes.size())
        throw std::runtime_error(std::string(model) + ": another number of classes than its metadata names");
    const bool measured = by_name.count("novelty") != 0;
    const Told told = decide(facts, by_name.at("pred_probs")->GetTensorData<float>(),
        measured ? by_name.at("novelty")->GetTensorData<float>() : nullptr);
    std::printf("%s %s %.6f", told.verdict.c_str(), told.label.c_str(), static_cast<double>(told.prob));
    if (by_name.count("heatmap") != 0) {
        const auto cells = by_name.at("heatmap")->GetTensorTypeAndShapeInfo().GetShape(); // 1, rows, columns
        const float* const heat = by_name.at("heatmap")->GetTensorData<float>();
        const auto hottest = std::max_element(heat, heat + cells[1] * cells[2]) - heat;
        std::printf(" cell %lld,%lld of %lldx%lld", static_cast<long long>(hottest % cells[2]),
            static_cast<long long>(hottest / cells[2]), static_cast<long long>(cells[2]),
            static_cast<long long>(cells[1]));
    }
    std::printf("\n");
    return told.verdict == "no-go" ? 1 : told.verdict == "review" ? 3 : 0;
}

} // namespace

int main(int count, char** arguments)
{
    if (count != 3) {
        std::fprintf(stderr, "usage: %s model.onnx photo.pgm\n", arguments[0]);
        return 2;
    }
    try {
        return inspect(arguments[1], arguments[2]);
    } catch (const std::exception& error) {
        const std::string text = error.what();
        std::fprintf(stderr, "error: %s\n", text.substr(0, text.find('\n')).c_str());
        return 2;
    }
}
