// A guest for Hotshoe. It responds to three paths:
//
// - `/`: a page with the stream of each camera.
// - `/snapshot/NAME`: a frame of a camera.
// - `/stream/NAME`: all frames of a camera, in one response without an end.
//
// Functions of `wit/` that can fail return false and set their last argument. An instance responds to one request, and
// the host frees its memory and its resources, so this code frees only what a loop allocates.

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../bindings/world.h"

// How long to wait for a frame, in nanoseconds. A camera may have to be opened first.
#define FRAME_TIMEOUT 4000000000

// How often the publisher looks for a placeholder if there are no frames, in nanoseconds.
#define REPEAT_INTERVAL 1000000000

// The most bytes that `blocking-write-and-flush` accepts.
#define MAX_WRITE 4096

static const char page_start[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\">\n"
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<title>{guest-name}</title>\n"
    "<style>\n"
    "  body { font-family: system-ui, sans-serif; margin: 1rem; }\n"
    "  img { width: 100%; max-width: 60rem; }\n"
    "</style>\n"
    "<h1>{guest-name}</h1>\n";

static world_list_u8_t bytes(const char *text) { return (world_list_u8_t){(uint8_t *)text, strlen(text)}; }

static world_string_t string(const char *text) { return (world_string_t){(uint8_t *)text, strlen(text)}; }

static wasi_http_types_own_outgoing_response_t make_response(int status, const char *type, uint64_t length) {
    char digits[21];
    snprintf(digits, sizeof digits, "%llu", length);
    const char *headers[][2] = {{"content-type", type}, {"cache-control", "no-store"}, {"content-length", digits}};
    wasi_http_types_own_fields_t fields = wasi_http_types_constructor_fields();
    for (size_t i = 0; i < (length ? 3 : 2); i++) {
        world_string_t name = string(headers[i][0]);
        wasi_http_types_field_value_t value = {(uint8_t *)headers[i][1], strlen(headers[i][1])};
        wasi_http_types_header_error_t error;
        wasi_http_types_method_fields_append(wasi_http_types_borrow_fields(fields), &name, &value, &error);
    }
    wasi_http_types_own_outgoing_response_t response = wasi_http_types_constructor_outgoing_response(fields);
    wasi_http_types_method_outgoing_response_set_status_code(wasi_http_types_borrow_outgoing_response(response), status);
    return response;
}

static wasi_http_types_own_outgoing_body_t body_of(wasi_http_types_own_outgoing_response_t response) {
    wasi_http_types_own_outgoing_body_t body;
    wasi_http_types_method_outgoing_response_body(wasi_http_types_borrow_outgoing_response(response), &body);
    return body;
}

static void start(wasi_http_types_own_response_outparam_t out, wasi_http_types_own_outgoing_response_t response) {
    wasi_http_types_result_own_outgoing_response_error_code_t result = {.is_err = false, .val.ok = response};
    wasi_http_types_static_response_outparam_set(out, &result);
}

static wasi_http_types_own_output_stream_t write_to(wasi_http_types_own_outgoing_body_t body) {
    wasi_http_types_own_output_stream_t output;
    wasi_http_types_method_outgoing_body_write(wasi_http_types_borrow_outgoing_body(body), &output);
    return output;
}

static void finish(wasi_http_types_own_outgoing_body_t body, wasi_http_types_own_output_stream_t output) {
    wasi_http_types_error_code_t error;
    wasi_io_streams_output_stream_drop_own(output);
    wasi_http_types_static_outgoing_body_finish(body, NULL, &error);
}

static void send(wasi_http_types_own_response_outparam_t out, int status, const char *type, const char *text) {
    world_list_u8_t left = bytes(text);
    wasi_http_types_own_outgoing_response_t response = make_response(status, type, left.len);
    wasi_http_types_own_outgoing_body_t body = body_of(response);
    start(out, response);
    wasi_http_types_own_output_stream_t output = write_to(body);
    wasi_io_streams_borrow_output_stream_t stream = wasi_io_streams_borrow_output_stream(output);
    wasi_io_streams_stream_error_t error;
    while (left.len > 0) {
        world_list_u8_t chunk = {left.ptr, left.len < MAX_WRITE ? left.len : MAX_WRITE};
        if (!wasi_io_streams_method_output_stream_blocking_write_and_flush(stream, &chunk, &error)) {
            break; // The client has gone.
        }
        left = (world_list_u8_t){left.ptr + chunk.len, left.len - chunk.len};
    }
    finish(body, output);
}

static void page(wasi_http_types_own_response_outparam_t out, const hotshoe_camera_cameras_list_camera_info_t *cameras) {
    char *text;
    size_t length;
    FILE *file = open_memstream(&text, &length);
    fputs(page_start, file);
    for (size_t i = 0; i < cameras->len; i++) {
        int n = (int)cameras->ptr[i].name.len;
        const char *name = (const char *)cameras->ptr[i].name.ptr;
        fprintf(file, "<p><a href=\"/snapshot/%.*s\"><img src=\"/stream/%.*s\" alt=\"%.*s\"></a>\n", n, name, n, name,
                n, name);
    }
    fputs("</html>\n", file);
    fclose(file);
    send(out, 200, "text/html; charset=utf-8", text);
}

static void snapshot(wasi_http_types_own_response_outparam_t out, world_string_t camera) {
    hotshoe_camera_cameras_own_feed_t feed;
    hotshoe_camera_cameras_option_frame_t frame;
    hotshoe_camera_cameras_error_code_t error;
    if (!hotshoe_camera_cameras_static_feed_open(&camera, &feed, &error) ||
        !hotshoe_camera_cameras_method_feed_blocking_next(hotshoe_camera_cameras_borrow_feed(feed), FRAME_TIMEOUT,
                                                          &frame, &error) ||
        !frame.is_some) {
        send(out, 503, "text/plain", "there is no picture at the moment\n");
        return;
    }
    hotshoe_camera_frames_borrow_image_t image = hotshoe_camera_frames_borrow_image(frame.val.image);
    hotshoe_camera_frames_image_info_t info;
    hotshoe_camera_frames_method_image_info(image, &info);
    wasi_http_types_own_outgoing_response_t response = make_response(200, "image/jpeg", info.length);
    wasi_http_types_own_outgoing_body_t body = body_of(response);
    start(out, response);
    wasi_http_types_own_output_stream_t output = write_to(body);
    // The host sends the image; it is not copied to the memory of this guest.
    wasi_io_streams_own_input_stream_t input = hotshoe_camera_frames_method_image_read_via_stream(image);
    wasi_io_streams_stream_error_t stream_error;
    for (uint64_t sent, left = info.length; left > 0; left -= sent) {
        if (!wasi_io_streams_method_output_stream_blocking_splice(wasi_io_streams_borrow_output_stream(output),
                                                                  wasi_io_streams_borrow_input_stream(input), left,
                                                                  &sent, &stream_error)) {
            break; // The client has gone.
        }
    }
    finish(body, output);
}

// Passes the response to the channel of the camera, which has its name. The host writes the body from now on.
static void stream(wasi_http_types_own_response_outparam_t out, world_string_t camera) {
    wasi_http_types_own_outgoing_response_t response =
        make_response(200, "multipart/x-mixed-replace; boundary=frame", 0);
    hotshoe_server_channels_viewer_options_t options = {.opening = bytes("--frame\r\n"),
                                                        .closing = bytes("--frame--\r\n")};
    hotshoe_server_channels_error_code_t error;
    if (hotshoe_server_channels_join(body_of(response), &camera, &options, &error)) {
        start(out, response);
    } else {
        send(out, 503, "text/plain", "cannot join the stream; the log of the server says why\n");
    }
}

// Responds to a request. The host calls it in a new instance for each request.
void exports_wasi_http_incoming_handler_handle(wasi_http_types_own_incoming_request_t request,
                                               wasi_http_types_own_response_outparam_t out) {
    world_string_t target = string("");
    wasi_http_types_method_incoming_request_path_with_query(wasi_http_types_borrow_incoming_request(request), &target);
    char *path = strndup((const char *)target.ptr, target.len);
    path[strcspn(path, "?")] = '\0';
    hotshoe_camera_cameras_list_camera_info_t cameras;
    hotshoe_camera_cameras_list_cameras(&cameras);
    if (strcmp(path, "/") == 0) {
        page(out, &cameras);
        return;
    }
    for (size_t i = 0; i < cameras.len; i++) {
        world_string_t name = cameras.ptr[i].name;
        char *camera = strndup((const char *)name.ptr, name.len);
        if (strncmp(path, "/snapshot/", 10) == 0 && strcmp(path + 10, camera) == 0) {
            snapshot(out, name);
            return;
        }
        if (strncmp(path, "/stream/", 8) == 0 && strcmp(path + 8, camera) == 0) {
            stream(out, name);
            return;
        }
    }
    send(out, 404, "text/plain", "there is no such page or camera\n");
}

// What surrounds the length of an image in the headers of a part.
#define HEAD_START "Content-Type: image/jpeg\r\nContent-Length: "
#define HEAD_END "\r\n\r\n"

// Builds the stream of a camera once for all viewers. The host calls it for each channel that has viewers.
void exports_hotshoe_server_publisher_publish(exports_hotshoe_server_publisher_own_channel_t own_channel) {
    hotshoe_server_channels_borrow_channel_t channel = hotshoe_server_channels_borrow_channel(own_channel);
    world_string_t name;
    hotshoe_server_channels_method_channel_name(channel, &name);
    hotshoe_camera_cameras_own_feed_t feed;
    hotshoe_camera_cameras_error_code_t error;
    bool is_open = hotshoe_camera_cameras_static_feed_open(&name, &feed, &error);
    assert(is_open && "channels have the names of cameras");
    hotshoe_camera_cameras_borrow_feed_t borrowed_feed = hotshoe_camera_cameras_borrow_feed(feed);
    hotshoe_server_channels_head_piece_t pieces[] = {
        {.tag = HOTSHOE_SERVER_CHANNELS_HEAD_PIECE_BYTES, .val.bytes = bytes(HEAD_START)},
        {.tag = HOTSHOE_SERVER_CHANNELS_HEAD_PIECE_LENGTH},
        {.tag = HOTSHOE_SERVER_CHANNELS_HEAD_PIECE_BYTES, .val.bytes = bytes(HEAD_END)},
    };
    hotshoe_server_channels_list_head_piece_t frame_head = {pieces, sizeof pieces / sizeof *pieces};
    // The delimiter follows the image at once, because browsers show an image only when they have read it.
    world_list_u8_t tail = bytes("\r\n--frame\r\n");
    for (;;) {
        // The host makes a part of each frame, until there is none.
        hotshoe_server_channels_option_frame_t last = {0};
        hotshoe_server_channels_error_code_t push_error;
        hotshoe_server_channels_method_channel_push_frames(channel, borrowed_feed, &frame_head, &tail, REPEAT_INTERVAL,
                                                           &last, &push_error);
        if (last.is_some) {
            hotshoe_camera_frames_image_drop_own(last.val.image);
        }
        // While the camera is lost, its placeholder says why.
        hotshoe_camera_cameras_option_own_image_t image = {0};
        hotshoe_camera_cameras_method_feed_placeholder(borrowed_feed, &image, &error);
        if (!image.is_some) {
            continue;
        }
        hotshoe_camera_frames_borrow_image_t borrowed = hotshoe_camera_frames_borrow_image(image.val);
        hotshoe_camera_frames_image_info_t info;
        hotshoe_camera_frames_method_image_info(borrowed, &info);
        char text[80];
        snprintf(text, sizeof text, HEAD_START "%llu" HEAD_END, info.length);
        world_list_u8_t head = bytes(text);
        hotshoe_server_channels_method_channel_push(channel, &head, &borrowed, &tail, &push_error);
        hotshoe_camera_frames_image_drop_own(image.val);
    }
}
